-- Unfinished DAGs that nothing will move, by the first reason that holds.
-- Index: the partial ones over unfinished DAGs; then, for each of those, job by (dag_id) and the primary
-- keys of job_dependencies and job. Scalar subqueries with a limit are answered DAG by DAG: no estimate can
-- turn them into a pass over the history.
with verdict as (
    select
        case
            when (select true from job as j where j.dag_id = d.id and j.state = 'active' limit 1) then null
            when (
                select true
                from job as w
                where w.dag_id = d.id
                    and w.state in ('created', 'retry')
                    and (
                        select true
                        from job_dependencies as e
                        join job as p on p.name = e.depends_on_name and p.id = e.depends_on_id
                        where e.job_name = w.name
                            and e.job_id = w.id
                            and p.state in ('created', 'retry', 'active', 'expired', 'cancelled', 'failed')
                        limit 1
                    ) is null
                limit 1
            ) then null
            when (select true from job as j where j.dag_id = d.id limit 1) is null then 'no_jobs'
            when (select true from job as j where j.dag_id = d.id and j.state = 'failed' limit 1)
                then 'failed_job'
            else 'no_runnable_job'
        end as reason
    from dag as d
    where d.state not in ('completed', 'failed', 'cancelled') and d.state <> 'expired'
)
select
    reason,
    count(v.reason)::float8 as marie_dags_stalled
from unnest(array['no_jobs', 'failed_job', 'no_runnable_job']) as reasons (reason)
left join verdict as v using (reason)
group by reason
