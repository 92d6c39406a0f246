-- Unfinished DAGs that nothing will move, by the first reason that holds.
-- Index: one of job that leads with state for the unfinished jobs, the partial ones of dag over unfinished
-- DAGs, the primary keys of job_dependencies and job for the parents of waiting jobs, and those only where no
-- job of the DAG is active. Only DAGs that nothing moves are looked at one by one, by job (dag_id). Scalar
-- subqueries are answered row by row: no estimate can turn them into a pass over the history. Materialized, or
-- the parents would be looked up before the DAGs are sorted out.
with unfinished as materialized (
    select j.dag_id, j.name, j.id, j.state = 'active' as active
    from marie_scheduler.job as j
    where j.state in ('created', 'retry', 'active')
),
quiet as materialized (
    select d.id
    from marie_scheduler.dag as d
    where d.state not in ('completed', 'failed', 'cancelled')
        and d.state <> 'expired'
        and not exists (select from unfinished as u where u.active and u.dag_id = d.id)
),
waiting as materialized (
    select q.id as dag_id, w.name, w.id
    from quiet as q
    join unfinished as w on w.dag_id = q.id
),
runnable as materialized (
    select distinct w.dag_id
    from waiting as w
    where (
        select true
        from marie_scheduler.job_dependencies as e
        join marie_scheduler.job as p on p.name = e.depends_on_name and p.id = e.depends_on_id
        where e.job_name = w.name
            and e.job_id = w.id
            and p.state in ('created', 'retry', 'active', 'expired', 'cancelled', 'failed')
        limit 1
    ) is null
),
verdict as (
    select
        case (select bool_or(j.state = 'failed') from marie_scheduler.job as j where j.dag_id = q.id)
            when true then 'failed_job'
            when false then 'no_runnable_job'
            else 'no_jobs'
        end as reason
    from quiet as q
    where not exists (select from runnable as r where r.dag_id = q.id)
)
select
    reason,
    count(v.reason)::float8 as marie_dags_stalled
from unnest(array['no_jobs', 'failed_job', 'no_runnable_job']) as reasons (reason)
left join verdict as v using (reason)
group by reason
