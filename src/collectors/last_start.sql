-- The newest start among unfinished jobs; one that waits for its retry keeps its start.
-- Index: one that leads with state. Without it every job is read.
select
    'start' as activity,
    extract(epoch from max(started_on))::float8 as marie_scheduler_last_activity_timestamp_seconds
from job
where state in ('retry', 'active')
