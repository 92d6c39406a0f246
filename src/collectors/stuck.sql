-- Jobs that have been active for longer than their queue's threshold.
-- $1 known queues, $2 their thresholds in seconds, $3 the threshold of a queue that is not known yet.
-- Index: one that leads with state. Without it every job is read.
select
    queue,
    t.seconds as marie_stuck_threshold_seconds,
    (
        count(a.queue) filter (
            where a.started_on < now() - make_interval(secs => coalesce(t.seconds, $3))
        )
    )::float8 as marie_jobs_stuck
from unnest($1::text[], $2::float8[]) as t (queue, seconds)
full join (
    select name::text as queue, started_on
    from job
    where state = 'active'
) as a using (queue)
group by queue, t.seconds
