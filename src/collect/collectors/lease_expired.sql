-- Returns active jobs whose run lease expired more than a minute ago. The scheduler reaps such jobs every minute.
-- $1 to $6: as in by_queue.rs. Index: one that leads with state. Without it every job is read.
select
    queue,
    (
        count(a.queue) filter (where a.run_lease_expires_at < now() - interval '1 minute')
    )::float8 as marie_jobs_lease_expired
from unnest($1::text[]) as known (queue)
full join (
    select name::text as queue, run_lease_expires_at
    from marie_scheduler.job
    where state = 'active'
        and name is not null
) as a using (queue)
group by queue
