-- Until when the newest lease of an unfinished job holds, now at most: whoever took or renewed it was alive.
-- Index: one that leads with state. Without it every job is read.
select
    'lease' as activity,
    extract(
        epoch from least(now(), greatest(max(lease_expires_at), max(run_lease_expires_at)))
    )::float8 as marie_scheduler_last_activity_timestamp_seconds
from job
where state in ('created', 'retry', 'active')
having coalesce(max(lease_expires_at), max(run_lease_expires_at)) is not null
