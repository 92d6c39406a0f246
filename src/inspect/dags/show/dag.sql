-- Returns a DAG's fields. $1 its id. Index: the primary key.
select
    id,
    name,
    state,
    planner,
    created_on,
    started_on,
    completed_on,
    case
        when started_on between '1970-01-01' and '3000-01-01'
            and coalesce(completed_on, now()) between '1970-01-01' and '3000-01-01'
        then extract(epoch from coalesce(completed_on, now()) - started_on)
    end as run_time,
    soft_sla,
    hard_sla
from marie_scheduler.dag
where id = $1
