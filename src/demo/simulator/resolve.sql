-- Writes the state of the DAGs $1. As in Marie, the row is written even if nothing has changed, and completed_on is
-- never removed.

update dag
set state = verdict.state,
    completed_on = coalesce(dag.completed_on, case when verdict.state <> 'active' then now() end)
from (
    select
        dag_id,
        case
            when bool_or(state in ('failed', 'expired', 'cancelled')) then 'failed'
            when bool_and(state in ('completed', 'skipped')) then 'completed'
            else 'active'
        end as state
    from job
    where dag_id = any($1)
    group by dag_id
) as verdict
where dag.id = verdict.dag_id
