-- Returns jobs by state, and the share of finished ones, of the oldest active DAGs: the maintenance page's DAG progress.
-- A planner that cannot be a label, and the states of a DAG beyond 20, are merged as `other`.
-- $1: pattern of text that can be sent to the exporter; NULL if all text can. $2: number of DAGs.
-- Index: the partial ones over unfinished DAGs, and one of job that leads with dag_id.
with oldest as (
    select
        id,
        case
            when octet_length(planner) > 400 or char_length(planner) > 200 or planner collate "C" !~ $1::text then 'other'
            else coalesce(planner, 'unknown')
        end::text as planner
    from marie_scheduler.dag
    where state = 'active'
    order by started_on, id
    limit $2
),
member as (
    select o.id::text as dag_id, o.planner, j.state, j.jobs
    from oldest as o
    cross join lateral (
        select
            case
                when place <= 20 and octet_length(state) <= 400 and char_length(state) <= 200 and (state collate "C" ~ $1::text) is not false then state
                else 'other'
            end as state,
            sum(jobs) as jobs
        from (
            select
                m.state::text as state,
                count(*) as jobs,
                row_number() over (
                    order by m.state::text not in ('created', 'retry', 'active'), count(*) desc, m.state
                ) as place
            from marie_scheduler.job as m
            where m.dag_id = o.id
            group by m.state
        ) as counted
        group by 1
    ) as j
)
select
    dag_id,
    planner,
    state,
    jobs::float8 as marie_dag_jobs,
    null::float8 as marie_dag_progress_ratio
from member
union all
select
    dag_id,
    planner,
    null,
    null,
    (coalesce(sum(jobs) filter (where state not in ('created', 'retry', 'active')), 0) / sum(jobs))::float8
from member
group by dag_id, planner
