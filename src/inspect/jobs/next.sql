-- Jobs that a worker could take now, those that marie_jobs_ready counts: created or retry, start_after passed, the DAG
-- unfinished, every parent completed or skipped. In the order of the maintenance page: priority, then age.
-- $1 how many; $2 from which on; $3 queues, $4 DAG, NULL for all; $5 whether only the first of each DAG.
-- Index: one that leads with state for the waiting jobs, then, for each of them, the primary keys of dag,
-- job_dependencies and job, as in the collector's waiting.sql.
with ready as (
    select
        w.id,
        w.name as queue,
        w.state,
        w.dag_id,
        w.priority,
        w.created_on,
        w.start_after,
        row_number() over (
            -- A job without a DAG is alone.
            partition by coalesce(w.dag_id, w.id) order by w.priority desc, w.created_on, w.id
        ) as place
    from marie_scheduler.job as w
    where w.state in ('created', 'retry')
        and (w.start_after > now()) is not true
        and ($3::text[] is null or w.name = any ($3))
        and ($4::uuid is null or w.dag_id = $4)
        and (
            select d.state in ('completed', 'failed', 'cancelled', 'expired')
            from marie_scheduler.dag as d
            where d.id = w.dag_id
        ) is not true
        and not exists (
            select
            from marie_scheduler.job_dependencies as d
            join marie_scheduler.job as p on p.name = d.depends_on_name and p.id = d.depends_on_id
            where d.job_name = w.name
                and d.job_id = w.id
                and p.state in ('created', 'retry', 'active', 'expired', 'cancelled', 'failed')
        )
)
select
    id,
    queue,
    state,
    dag_id,
    priority,
    created_on,
    start_after,
    case
        when created_on between '1970-01-01' and '3000-01-01' then extract(epoch from now() - created_on)
    end as age
from ready
where not $5 or place = 1
order by priority desc, created_on, id
limit $1 offset $2
