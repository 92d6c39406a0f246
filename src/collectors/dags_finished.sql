-- Finished DAGs by planner and state, and those without a state. A planner has a row for each of the four
-- usual states, though it be 0.
-- Index: (planner, state), read from end to end. Without it every DAG is read; cost follows the history
-- either way.
with finished as (
    select coalesce(planner, 'unknown')::text as planner, coalesce(state, 'unknown')::text as state
    from marie_scheduler.dag
    where state in ('completed', 'failed', 'cancelled') or state is null
)
select
    planner,
    state,
    count(f.planner)::float8 as marie_dags
from (
    select distinct planner, s.state
    from finished
    cross join unnest(array['created', 'active', 'completed', 'failed']) as s (state)
) as series
full join finished as f using (planner, state)
group by planner, state
