-- Jobs, newest first by their ids, which are UUIDs of version 7 in Marie.
-- $1 how many; $2 from which on; filters, unless they are NULL: $3 states, none for all; $4 queue; $5 DAG; $6 only those
-- created within so many seconds.
-- Index: the one on id that every shape has: it is followed until there are enough rows. Where a filter matches few
-- and no index serves it (state and DAG have theirs), every job is read.
select
    id,
    name as queue,
    state,
    dag_id,
    priority,
    retry_count,
    retry_limit,
    created_on,
    started_on,
    completed_on
from job
where (
        cardinality($3::text[]) = 0
        -- A label becomes whatever type the state has here, so that an index on it serves.
        or state = any (array(
            select (jsonb_populate_record(null::job, jsonb_build_object('state', label))).state
            from unnest($3::text[]) as labels (label)
        ))
    )
    and ($4::text is null or name = $4)
    and ($5::uuid is null or dag_id = $5)
    and ($6::float8 is null or created_on > now() - make_interval(secs => $6))
order by id desc
limit $1 offset $2
