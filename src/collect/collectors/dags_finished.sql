-- Returns finished DAGs, and those without a state, by planner and state. A planner has a row for each of the four usual
-- states, also without DAGs. Because clients name planners, planners beyond the 200 busiest are merged as `other`.
-- $1: pattern of text that can be sent to the exporter; NULL if all text can.
-- Index: (planner, state), read from end to end. Without it every DAG is read. The cost follows the history in both cases.
with finished as materialized (
    select coalesce(planner, 'unknown')::text as planner, coalesce(state, 'unknown')::text as state, count(*) as dags
    from marie_scheduler.dag
    where state in ('completed', 'failed', 'cancelled') or state is null
    group by dag.planner, dag.state
),
planner_label (planner) as (
    select planner
    from finished
    where octet_length(planner) <= 400 and char_length(planner) <= 200 and (planner collate "C" ~ $1::text) is not false
    group by planner
    order by sum(dags) desc, planner
    limit 200
),
counted as (
    select coalesce(planner_label.planner, 'other') as planner, finished.state, sum(finished.dags) as dags
    from finished
    left join planner_label on planner_label.planner = finished.planner
    group by planner_label.planner, finished.state
)
select
    planner,
    state,
    coalesce(sum(counted.dags), 0)::float8 as marie_dags
from (
    select distinct planner, s.state
    from counted
    cross join unnest(array['created', 'active', 'completed', 'failed']) as s (state)
) as series
full join counted using (planner, state)
group by planner, state
