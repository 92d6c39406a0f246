-- Returns the queues outside of $1 that have parents of waiting jobs of the queues $1. $2: ids of the waiting jobs; NULL for
-- all of them.
-- Indexes: one of job that leads with name or state, then the primary key of job_dependencies for each waiting job.
select distinct d.depends_on_name::text as queue
from marie_scheduler.job as w
join marie_scheduler.job_dependencies as d on d.job_name = w.name and d.job_id = w.id
where w.state in ('created', 'retry')
    and w.name = any ($1::text[])
    and ($2::uuid[] is null or w.id = any ($2))
    and d.depends_on_name <> all ($1::text[])
