-- The DAGs that have unfinished jobs in the queues $1: whether one of these is active, and whether one waits for no
-- parent. Indexes: one of job that leads with name or state for the unfinished jobs, then for each waiting one the
-- primary keys of job_dependencies and job, as in dags_stalled.sql.
select
    u.dag_id,
    bool_or(u.is_active or u.is_runnable) as moves
from (
    select
        j.dag_id,
        j.state = 'active' as is_active,
        j.state <> 'active' and (
            select true
            from marie_scheduler.job_dependencies as e
            join marie_scheduler.job as p on p.name = e.depends_on_name and p.id = e.depends_on_id
            where e.job_name = j.name
                and e.job_id = j.id
                and p.state in ('created', 'retry', 'active', 'expired', 'cancelled', 'failed')
            limit 1
        ) is null as is_runnable
    from marie_scheduler.job as j
    where j.state in ('created', 'retry', 'active') and j.name = any ($1::text[]) and j.dag_id is not null
) as u
group by u.dag_id
