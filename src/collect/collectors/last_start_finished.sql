-- Returns the newest start of all jobs. Index: one that leads with started_on, whose last entry is read.
select
    'start' as activity,
    extract(epoch from max(started_on))::float8 as marie_scheduler_last_activity_timestamp_seconds
from marie_scheduler.job
where started_on between '1970-01-01' and '3000-01-01'
