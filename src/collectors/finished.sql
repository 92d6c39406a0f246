-- Finished jobs by queue and state. Everything that is not unfinished counts, so that no list of labels
-- has to fit every shape.
-- $1 known queues, $2 finished states; each pair has a row, though it be 0.
-- Index: (name, state), read from end to end without touching the table where it is well vacuumed. Cost
-- follows the history either way.
with finished as (
    select
        name::text as queue,
        coalesce(state::text, 'unknown') as state,
        count(*) as jobs
    from marie_scheduler.job
    where state not in ('created', 'retry', 'active') or state is null
    group by name, state
)
select
    queue,
    state,
    coalesce(jobs, 0)::float8 as marie_jobs
from (
    select queue, state
    from unnest($1::text[]) as known (queue)
    cross join unnest($2::text[]) as states (state)
) as series
full join finished using (queue, state)
