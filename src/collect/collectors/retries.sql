-- Unfinished jobs that were retried, and how often. The pass over finished jobs counts the others.
-- $1 to $6 as in by_queue.rs. Index: one that leads with state. Without it every job is read.
select
    queue,
    count(r.queue)::float8 as marie_jobs_retried,
    coalesce(sum(r.retry_count), 0)::float8 as marie_jobs_retry_attempts,
    coalesce(max(r.retry_count), 0)::float8 as marie_jobs_retry_attempts_max
from unnest($1::text[]) as known (queue)
full join (
    select name::text as queue, retry_count
    from marie_scheduler.job
    where state in ('created', 'retry', 'active') and retry_count > 0 and name is not null
) as r using (queue)
group by queue
