-- Returns the jobs of each queue by state. Jobs without a state or in an unknown one are `other`.
-- $1 limit, $2 offset, $3 queue, NULL for all.
-- Index: on (name, state), then every job is counted from the index alone. Without it every job is read.
select
    queue,
    coalesce(sum(jobs) filter (where state = 'created'), 0) as created,
    coalesce(sum(jobs) filter (where state = 'retry'), 0) as retry,
    coalesce(sum(jobs) filter (where state = 'active'), 0) as active,
    coalesce(sum(jobs) filter (where state = 'completed'), 0) as completed,
    coalesce(sum(jobs) filter (where state = 'failed'), 0) as failed,
    coalesce(sum(jobs) filter (where state = 'expired'), 0) as expired,
    coalesce(sum(jobs) filter (where state = 'cancelled'), 0) as cancelled,
    coalesce(sum(jobs) filter (where state = 'skipped'), 0) as skipped,
    coalesce(
        sum(jobs) filter (
            where (
                state in ('created', 'retry', 'active', 'completed', 'failed', 'expired', 'cancelled', 'skipped')
            ) is not true
        ),
        0
    ) as other,
    sum(jobs) as total
from (
    select name as queue, state::text as state, count(*) as jobs
    from marie_scheduler.job
    where ($3::text is null or name = $3)
    group by name, state
) as counted
group by queue
order by total desc, queue
limit $1 offset $2
