-- Returns unfinished DAGs by planner and state (free text; not completed, failed or cancelled), and when the oldest active
-- one was started. A planner with unfinished DAGs has a row for each of the four usual states, also without DAGs. Because
-- clients name planners, planners beyond the 200 busiest and states beyond 20 are merged as `other`.
-- $1: pattern of text that can be sent to the exporter; NULL if all text can.
-- Index: the partial ones over unfinished DAGs. Without them every DAG is read.
with unfinished as materialized (
    select
        coalesce(planner, 'unknown')::text as planner,
        state::text as state,
        count(*) as dags,
        min(started_on) filter (where started_on between '1970-01-01' and '3000-01-01') as oldest
    from marie_scheduler.dag
    where state not in ('completed', 'failed', 'cancelled')
    group by 1, 2
),
planner_label (planner) as (
    select planner
    from unfinished
    where octet_length(planner) <= 400 and char_length(planner) <= 200 and (planner collate "C" ~ $1::text) is not false
    group by planner
    order by sum(dags) desc, planner
    limit 200
),
state_label (state) as (
    select state
    from unfinished
    where octet_length(state) <= 400 and char_length(state) <= 200 and (state collate "C" ~ $1::text) is not false
    group by state
    order by state not in ('created', 'active', 'completed', 'failed'), sum(dags) desc, state
    limit 20
),
counted as (
    select
        coalesce(planner_label.planner, 'other') as planner,
        coalesce(state_label.state, 'other') as state,
        sum(unfinished.dags) as dags
    from unfinished
    left join planner_label on planner_label.planner = unfinished.planner
    left join state_label on state_label.state = unfinished.state
    group by planner_label.planner, state_label.state
)
select
    planner,
    state,
    coalesce(sum(counted.dags), 0)::float8 as marie_dags,
    null::float8 as marie_oldest_active_dag_timestamp_seconds
from (
    select distinct planner, s.state
    from counted
    cross join unnest(array['created', 'active', 'completed', 'failed']) as s (state)
) as series
full join counted using (planner, state)
group by planner, state
union all
select null, null, null, extract(epoch from min(oldest))::float8
from unfinished
where state = 'active'
