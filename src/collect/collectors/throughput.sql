-- Jobs completed in the last hour and in the last 24 hours: the maintenance page's throughput, summed.
-- $1 to $6 as in by_queue.rs.
-- Index: one that leads with completed_on, then the cost follows the last day's jobs. Without it every job
-- is read.
select
    queue,
    (
        count(c.queue) filter (where c.completed_on > now() - interval '1 hour')
    )::float8 as marie_jobs_completed_last_hour,
    count(c.queue)::float8 as marie_jobs_completed_last_day
from unnest($1::text[]) as known (queue)
full join (
    select name::text as queue, completed_on
    from marie_scheduler.job
    where state = 'completed' and completed_on > now() - interval '24 hours' and completed_on <= '3000-01-01'
        and name is not null
) as c using (queue)
group by queue
