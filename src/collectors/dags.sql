-- Unfinished DAGs by planner and state (free text; every state but completed, failed and cancelled), and
-- since when the oldest active one runs. A planner that has unfinished DAGs has a row for each of the four
-- usual states, though it be 0.
-- Index: the partial ones over unfinished DAGs. Without them every DAG is read.
with unfinished as (
    select coalesce(planner, 'unknown')::text as planner, state::text as state, started_on
    from marie_scheduler.dag
    where state not in ('completed', 'failed', 'cancelled')
)
select
    planner,
    state,
    count(u.planner)::float8 as marie_dags,
    null::float8 as marie_oldest_active_dag_timestamp_seconds
from (
    select distinct planner, s.state
    from unfinished
    cross join unnest(array['created', 'active', 'completed', 'failed']) as s (state)
) as series
full join unfinished as u using (planner, state)
group by planner, state
union all
select null, null, null, extract(epoch from min(started_on))::float8
from unfinished
where state = 'active' and started_on between '1970-01-01' and '3000-01-01'
