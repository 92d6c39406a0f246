-- Returns active jobs that were started longer ago than their queue's threshold, and those past their own time limit.
-- The gateway gives jobs the limit 0, which means no limit.
-- $1 to $6: as in by_queue.rs. $7: queues with a threshold of their own. $8: these thresholds in seconds. $9: threshold of
-- the other queues in seconds.
-- Index: one that leads with state. Without it every job is read.
with active as (
    select name::text as queue, started_on, expire_in
    from marie_scheduler.job
    where state = 'active'
        and name is not null
)
select
    queue,
    coalesce(own.seconds, $9)::float8 as marie_stuck_threshold_seconds,
    (
        count(a.queue) filter (
            where a.started_on < now() - make_interval(secs => coalesce(own.seconds, $9))
        )
    )::float8 as marie_jobs_stuck,
    (
        count(a.queue) filter (
            where case
                when a.expire_in > interval '0' and a.expire_in < interval '1000 years'
                    and a.started_on between '1970-01-01' and '3000-01-01'
                then a.started_on + a.expire_in < now()
            end
        )
    )::float8 as marie_jobs_past_expiry
from unnest($1::text[]) as known (queue)
full join active as a using (queue)
left join unnest($7::text[], $8::float8[]) as own (queue, seconds) using (queue)
group by queue, own.seconds
