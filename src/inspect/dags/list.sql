-- Returns DAGs, newest first by their ids, which are UUIDs of version 7 in Marie. The counts of their jobs are zeros
-- here; job_counts.sql returns them.
-- $1 limit, $2 offset, $3 states, empty for all, $4 planner, NULL for all.
-- Index: the primary key of dag is followed until enough rows are found. If few DAGs match, all are read.
select
    id,
    state,
    planner,
    0 as jobs,
    0 as finished,
    0 as failed,
    created_on,
    started_on,
    completed_on
from marie_scheduler.dag
where (cardinality($3::text[]) = 0 or state = any ($3::text[]))
    and ($4::text is null or planner = $4)
order by id desc
limit $1 offset $2
