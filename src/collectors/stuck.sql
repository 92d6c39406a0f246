-- Jobs that have been active for longer than their queue's threshold, and those past their own time limit.
-- Jobs of the gateway carry the limit 0, which is none.
-- $1 known queues, $2 their thresholds in seconds, $3 the threshold of a queue that is not known yet.
-- Index: one that leads with state. Without it every job is read.
select
    queue,
    t.seconds as marie_stuck_threshold_seconds,
    (
        count(a.queue) filter (
            where a.started_on < now() - make_interval(secs => coalesce(t.seconds, $3))
        )
    )::float8 as marie_jobs_stuck,
    (
        count(a.queue) filter (where a.expire_in > interval '0' and a.started_on + a.expire_in < now())
    )::float8 as marie_jobs_past_expiry
from unnest($1::text[], $2::float8[]) as t (queue, seconds)
full join (
    select name::text as queue, started_on, expire_in
    from job
    where state = 'active'
) as a using (queue)
group by queue, t.seconds
