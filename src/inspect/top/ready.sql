-- Returns how many jobs of each queue a worker could take now, those that marie_jobs_ready counts and `jobs next`
-- lists.
-- $1 queues, NULL for all. Index: as for jobs/next.sql.
select name as queue, count(*) as ready
from waiting_job
where name is not null
    and reason is null
    and not is_deferred
    and ($1::text[] is null or name = any ($1))
group by name
