-- Returns the settings of the queue $1 as JSON. Index: the primary key.
select json_build_object(
    'retry_limit', retry_limit,
    'retry_delay', retry_delay,
    'retry_backoff', retry_backoff,
    'expire_seconds', expire_seconds,
    'retention_minutes', retention_minutes
)::text as settings
from marie_scheduler.queue
where name = $1
