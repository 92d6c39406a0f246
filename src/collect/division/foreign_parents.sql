-- The queues, beyond $1, in which parents of waiting jobs of the queues $1 are; only of jobs with the ids $2, if not NULL.
-- Indexes: one of job that leads with name or state, then the primary key of job_dependencies for each waiting job.
select distinct d.depends_on_name::text as queue
from marie_scheduler.job as w
join marie_scheduler.job_dependencies as d on d.job_name = w.name and d.job_id = w.id
where w.state in ('created', 'retry')
    and w.name = any ($1::text[])
    and ($2::uuid[] is null or w.id = any ($2))
    and d.depends_on_name <> all ($1::text[])
