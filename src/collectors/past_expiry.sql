-- Active jobs whose own time limit has passed. Jobs of the gateway carry 0, which is no limit.
-- $1 known queues. Index: one that leads with state. Without it every job is read.
select
    queue,
    (
        count(a.queue) filter (where a.expire_in > interval '0' and a.started_on + a.expire_in < now())
    )::float8 as marie_jobs_past_expiry
from unnest($1::text[]) as known (queue)
full join (
    select name::text as queue, started_on, expire_in
    from job
    where state = 'active'
) as a using (queue)
group by queue
