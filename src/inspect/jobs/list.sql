-- Returns jobs, newest first by their ids, which are UUIDs of version 7 in Marie.
-- $1 limit, $2 offset, $3 states, empty for all. Filters, NULL for all: $4 queue, $5 DAG, $6 created within so many
-- seconds.
-- Indexes: one on state, DAG or queue if it leaves few rows, else the one on id, which every shape has; it is followed
-- until enough rows are found. Each state is a separate condition, so that only the requested ones are planned. If few
-- jobs match and no index serves the filter, every job is read.
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
from marie_scheduler.job
where (
        cardinality($3::text[]) = 0
        or state = 'created' and 'created' = any ($3)
        or state = 'retry' and 'retry' = any ($3)
        or state = 'active' and 'active' = any ($3)
        or state = 'completed' and 'completed' = any ($3)
        or state = 'expired' and 'expired' = any ($3)
        or state = 'cancelled' and 'cancelled' = any ($3)
        or state = 'failed' and 'failed' = any ($3)
        or state not in ('created', 'retry', 'active', 'completed', 'expired', 'cancelled', 'failed')
        and state::text = any ($3)
    )
    and ($4::text is null or name = $4)
    and ($5::uuid is null or dag_id = $5)
    and ($6::float8 is null or created_on > now() - make_interval(secs => $6))
order by id desc
limit $1 offset $2
