-- Returns the newest finish of all jobs. Index: one that leads with completed_on, whose last entry is read.
select
    'finish' as activity,
    extract(epoch from max(completed_on))::float8 as marie_scheduler_last_activity_timestamp_seconds
from marie_scheduler.job
where completed_on between '1970-01-01' and '3000-01-01'
