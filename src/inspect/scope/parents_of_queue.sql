-- Returns the queues of the parents of the queue $1's waiting jobs.
-- Indexes: one of job that leads with name or state, then the primary key of job_dependencies for each waiting job.
select distinct d.depends_on_name::text as queue
from marie_scheduler.job as w
join marie_scheduler.job_dependencies as d on d.job_name = w.name and d.job_id = w.id
where w.state in ('created', 'retry') and w.name = $1
