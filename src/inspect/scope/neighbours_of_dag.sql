-- Returns the queues of the parents of the DAG $1's jobs in the queues $2.
-- Indexes: one of job that leads with dag_id, then the primary key of job_dependencies for each job.
select distinct d.depends_on_name::text as queue
from marie_scheduler.job as j
join marie_scheduler.job_dependencies as d on d.job_name = j.name and d.job_id = j.id
where j.dag_id = $1 and j.name = any ($2::text[])
