-- Jobs that a worker could take now by queue, those that marie_jobs_ready counts and `jobs next` lists.
-- $1 queues, NULL for all. Index: as of jobs/next.sql.
select w.name as queue, count(*) as ready
from marie_scheduler.job as w
where w.state in ('created', 'retry')
    and w.name is not null
    and (w.start_after > now()) is not true
    and ($1::text[] is null or w.name = any ($1))
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
group by w.name
