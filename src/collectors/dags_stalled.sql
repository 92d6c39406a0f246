-- Unfinished DAGs that nothing will move, by the first reason that holds.
-- Index: one of job that leads with state for the unfinished jobs, the primary keys of job_dependencies and
-- job for the parents of the waiting ones, the partial ones of dag over unfinished DAGs. Only DAGs that
-- nothing moves are looked at one by one, by job (dag_id). Scalar subqueries with a limit are answered row by
-- row: no estimate can turn them into a pass over the history.
with unfinished as materialized (
    select
        j.dag_id,
        bool_or(
            j.state = 'active' or (
                select true
                from job_dependencies as e
                join job as p on p.name = e.depends_on_name and p.id = e.depends_on_id
                where e.job_name = j.name
                    and e.job_id = j.id
                    and p.state in ('created', 'retry', 'active', 'expired', 'cancelled', 'failed')
                limit 1
            ) is null
        ) as moves
    from job as j
    where j.state in ('created', 'retry', 'active')
    group by j.dag_id
),
stalled as materialized (
    select d.id
    from dag as d
    left join unfinished as u on u.dag_id = d.id
    where d.state not in ('completed', 'failed', 'cancelled')
        and d.state <> 'expired'
        and u.moves is not true
),
verdict as (
    select
        case (select bool_or(j.state = 'failed') from job as j where j.dag_id = s.id)
            when true then 'failed_job'
            when false then 'no_runnable_job'
            else 'no_jobs'
        end as reason
    from stalled as s
)
select
    reason,
    count(v.reason)::float8 as marie_dags_stalled
from unnest(array['no_jobs', 'failed_job', 'no_runnable_job']) as reasons (reason)
left join verdict as v using (reason)
group by reason
