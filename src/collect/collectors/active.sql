-- Returns active jobs by queue, and when the longest-running one was started.
-- $1 to $6: as in by_queue.rs; each queue of $1 has a row, also without jobs.
-- Index: one that leads with state. Without it every job is read.
with active as (
    select
        name::text as queue,
        count(*) as jobs,
        min(started_on) filter (where started_on between '1970-01-01' and '3000-01-01') as oldest_started
    from marie_scheduler.job
    where state = 'active'
        and name is not null
    group by name
)
select
    queue,
    'active' as state,
    coalesce(jobs, 0)::float8 as marie_jobs,
    extract(epoch from oldest_started)::float8 as marie_oldest_active_job_timestamp_seconds
from unnest($1::text[]) as known (queue)
full join active using (queue)
