-- Finished jobs by queue and state. Everything that is not unfinished counts, so that no list of labels
-- has to fit every shape.
-- $1 to $6 as in by_queue.rs; $7 the finished states that the schema or the documentation names. Each pair of a queue of
-- $1 and such a state has a row, even with 0 jobs. Where the state is text, clients may write any: the 20 most frequent of
-- the other states have their label, the rest is `other`.
-- Index: (name, state), read from end to end without touching the table where it is well vacuumed. Cost
-- follows the history either way.
with finished as materialized (
    select
        name::text as queue,
        coalesce(state::text, 'unknown') as state,
        count(*) as jobs
    from marie_scheduler.job
    where (state not in ('created', 'retry', 'active') or state is null)
        and name is not null
    group by name, state
),
label (state) as (
    select unnest($7::text[])
    union all
    (
        select state
        from finished
        where state <> all ($7::text[])
            and octet_length(state) <= 400 and char_length(state) <= 200
            and (state collate "C" ~ $6::text) is not false
        group by state
        order by sum(jobs) desc, state
        limit 20
    )
),
counted as (
    select finished.queue, coalesce(label.state, 'other') as state, sum(finished.jobs) as jobs
    from finished
    left join label on label.state = finished.state
    group by finished.queue, label.state
)
select
    queue,
    state,
    coalesce(jobs, 0)::float8 as marie_jobs
from (
    select queue, state
    from unnest($1::text[]) as known (queue)
    cross join unnest($7::text[]) as states (state)
) as series
full join counted using (queue, state)
