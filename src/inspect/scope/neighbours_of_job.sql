-- Returns the queues of the parents and children of the job $1. $2 is not used.
-- Indexes: those of job_dependencies that lead with job_id and depends_on_id.
select depends_on_name::text as queue from marie_scheduler.job_dependencies where job_id = $1 and $2::text[] is not null
union
select job_name::text from marie_scheduler.job_dependencies where depends_on_id = $1
