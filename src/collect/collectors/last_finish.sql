-- The newest finish of all, where an index on completed_on gives it at once.
select
    'finish' as activity,
    extract(epoch from max(completed_on))::float8 as marie_scheduler_last_activity_timestamp_seconds
from marie_scheduler.job
where completed_on between '1970-01-01' and '3000-01-01'
