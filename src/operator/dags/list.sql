-- DAGs, newest first by their ids, which are UUIDs of version 7 in Marie, with their jobs' progress.
-- $1 how many; $2 from which on; filters, unless they are NULL: $3 states, none for all; $4 planner.
-- Index: the primary key of dag is followed until there are enough rows, and one of job that leads with dag_id serves
-- the progress of each. Where a filter matches few DAGs, all of them are read.
select
    d.id,
    d.state,
    d.planner,
    j.jobs,
    j.finished,
    j.failed,
    d.created_on,
    d.started_on,
    d.completed_on
from (
    select id, state, planner, created_on, started_on, completed_on
    from marie_scheduler.dag
    where (cardinality($3::text[]) = 0 or state = any ($3::text[]))
        and ($4::text is null or planner = $4)
    order by id desc
    limit $1 offset $2
) as d
cross join lateral (
    select
        count(*) as jobs,
        count(*) filter (
            where m.state::text in ('completed', 'skipped', 'failed', 'expired', 'cancelled')
        ) as finished,
        count(*) filter (where m.state in ('failed', 'expired')) as failed
    from marie_scheduler.job as m
    where m.dag_id = d.id
) as j
order by d.id desc
