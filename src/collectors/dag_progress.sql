-- Jobs by state, and the share of finished ones, of the oldest active DAGs: the maintenance page's DAG
-- progress. $1 how many DAGs.
-- Index: the partial ones over unfinished DAGs, and one of job that leads with dag_id.
with oldest as (
    select id, coalesce(planner, 'unknown')::text as planner
    from marie_scheduler.dag
    where state = 'active'
    order by started_on, id
    limit $1
),
member as (
    select o.id::text as dag_id, o.planner, j.state, j.jobs
    from oldest as o
    cross join lateral (
        select m.state::text as state, count(*) as jobs
        from marie_scheduler.job as m
        where m.dag_id = o.id
        group by m.state
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
