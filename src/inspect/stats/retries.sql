-- Returns, for each queue, how many jobs were retried, and the average and the largest number of retries.
-- $1 limit, $2 offset, $3 queue, NULL for all.
-- Index: on (name) where retry_count > 0. Without it every job is read.
select
    name as queue,
    count(*) as jobs,
    round(avg(retry_count), 2) as average_retries,
    max(retry_count) as most_retries
from marie_scheduler.job
where retry_count > 0
    and ($3::text is null or name = $3)
group by name
order by average_retries desc, queue
limit $1 offset $2
