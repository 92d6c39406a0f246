-- The newest start of all, where an index on started_on gives it at once.
select
    'start' as activity,
    extract(epoch from max(started_on))::float8 as marie_scheduler_last_activity_timestamp_seconds
from marie_scheduler.job
where started_on between '1970-01-01' and '3000-01-01'
