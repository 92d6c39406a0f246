-- Returns the settings of the published queues that have a row in the table queue.
-- $1: published queues. $2: most characters of a label. $3: pattern of text that can be sent; NULL if all text can.
-- Reads the whole table, which has a row for each queue.
select
    name::text as queue,
    case
        when (left(policy, $2) collate "C" ~ $3::text) is not false then left(coalesce(policy, ''), $2) else 'other'
    end::text as policy,
    case
        when (left(dead_letter, $2) collate "C" ~ $3::text) is not false then left(coalesce(dead_letter, ''), $2)
        else 'other'
    end::text as dead_letter,
    1::float8 as marie_queue_info,
    retry_limit::float8 as marie_queue_retry_limit,
    retention_minutes::float8 * 60 as marie_queue_retention_seconds,
    expire_seconds::float8 as marie_queue_expire_seconds
from marie_scheduler.queue
where name = any($1::text[])
