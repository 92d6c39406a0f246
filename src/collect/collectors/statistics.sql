-- Unfinished jobs by queue and state, and since when the oldest of them waits or runs.
-- $1 to $6 as in by_queue.rs; each queue of $1 has a row for each unfinished state, even with 0 jobs.
-- Index: one that leads with state. Without it every job is read.
with unfinished as (
    select
        name::text as queue,
        state::text as state,
        count(*) as jobs,
        min(created_on) filter (where created_on between '1970-01-01' and '3000-01-01') as oldest_created,
        min(started_on) filter (where started_on between '1970-01-01' and '3000-01-01') as oldest_started
    from marie_scheduler.job
    where state in ('created', 'retry', 'active')
        and name is not null
    group by name, state
)
select
    queue,
    state,
    coalesce(jobs, 0)::float8 as marie_jobs,
    case when state <> 'active' then extract(epoch from oldest_created) end::float8
        as marie_oldest_waiting_job_timestamp_seconds,
    case when state = 'active' then extract(epoch from oldest_started) end::float8
        as marie_oldest_active_job_timestamp_seconds
from (
    select queue, state
    from unnest($1::text[]) as known (queue)
    cross join unnest(array['created', 'retry', 'active']) as states (state)
) as series
full join unfinished using (queue, state)
