-- The settings of the known queues that have a row in the table queue.
-- $1 known queues, $2 the most characters of a label. Costs a pass over that table, which has a row for each queue.
select
    name::text as queue,
    left(coalesce(policy, ''), $2)::text as policy,
    left(coalesce(dead_letter, ''), $2)::text as dead_letter,
    1::float8 as marie_queue_info,
    retry_limit::float8 as marie_queue_retry_limit,
    retention_minutes::float8 * 60 as marie_queue_retention_seconds,
    expire_seconds::float8 as marie_queue_expire_seconds
from marie_scheduler.queue
where name = any($1::text[])
