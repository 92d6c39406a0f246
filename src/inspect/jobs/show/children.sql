-- Returns the jobs that wait or have waited for a job. $1 its id.
-- Indexes: one of job_dependencies that leads with depends_on_id, and job's on id. Without job_dependencies the
-- fallback searches the jobs' own lists.
select c.id, c.name as queue, c.state, c.started_on, c.completed_on
from marie_scheduler.job_dependencies as d
join marie_scheduler.job as c on c.id = d.job_id and c.name = d.job_name
where d.depends_on_id = $1
order by c.completed_on desc nulls first, c.id
