-- When each queue last completed and last failed a job.
-- $1 to $6 as in by_queue.rs.
-- No index bounds it: every finished job is read.
select
    name::text as queue,
    extract(epoch from max(completed_on) filter (where state = 'completed'))::float8
        as marie_job_last_completed_timestamp_seconds,
    extract(epoch from max(completed_on) filter (where state = 'failed'))::float8
        as marie_job_last_failed_timestamp_seconds
from marie_scheduler.job
where state in ('completed', 'failed') and completed_on between '1970-01-01' and '3000-01-01' and name is not null
group by name
