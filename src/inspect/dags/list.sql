-- DAGs, newest first by their ids, which are UUIDs of version 7 in Marie. Their jobs are not counted here: zeros stand
-- for the counts of job_counts.sql.
-- $1 how many; $2 from which on; filters, unless they are NULL: $3 states, none for all; $4 planner.
-- Index: the primary key of dag is followed until there are enough rows. Where a filter matches few DAGs, all of them
-- are read.
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
