-- Returns queues with their settings and their unfinished jobs: those of the table queue, and those with unfinished
-- jobs. Dead-letter queues ($NAME_dlq) only if they have unfinished jobs. $1 limit, $2 offset.
-- Index: one of job that leads with state. Without it every job is read.
select
    queue,
    q.retry_limit,
    q.retry_delay,
    q.retry_backoff,
    q.expire_seconds,
    q.retention_minutes,
    q.dead_letter,
    q.policy,
    coalesce(j.created, 0) as created,
    coalesce(j.retry, 0) as retry,
    coalesce(j.active, 0) as active
from (
    select
        name as queue, retry_limit, retry_delay, retry_backoff, expire_seconds, retention_minutes, dead_letter, policy
    from marie_scheduler.queue
) as q
full join (
    select
        name as queue,
        count(*) filter (where state = 'created') as created,
        count(*) filter (where state = 'retry') as retry,
        count(*) filter (where state = 'active') as active
    from marie_scheduler.job
    where state in ('created', 'retry', 'active')
        and name is not null
    group by name
) as j using (queue)
where queue not like '$%\_dlq' or j.queue is not null
order by queue
limit $1 offset $2
