-- Unfinished jobs that have no retry left.
-- $1 to $6 as in by_queue.rs. Index: one that leads with state. Without it every job is read.
select
    queue,
    count(u.queue)::float8 as marie_jobs_retries_exhausted
from unnest($1::text[]) as known (queue)
full join (
    select name::text as queue
    from marie_scheduler.job
    where state in ('created', 'retry', 'active') and retry_count >= retry_limit and name is not null
) as u using (queue)
group by queue
