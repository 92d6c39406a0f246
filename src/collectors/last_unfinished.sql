-- The newest start among unfinished jobs (one that waits for its retry keeps its start), and until when the
-- newest lease of one of them holds, now at most: whoever took or renewed it was alive.
-- Index: one that leads with state. Without it every job is read.
select
    a.activity,
    extract(epoch from max(a.seen))::float8 as marie_scheduler_last_activity_timestamp_seconds
from job as j
cross join lateral (
    values
        ('start', j.started_on),
        -- LEAST passes over NULL, which would make a job without a lease one that is leased until now.
        ('lease', case when j.lease_expires_at is not null then least(j.lease_expires_at, now()) end),
        ('lease', case when j.run_lease_expires_at is not null then least(j.run_lease_expires_at, now()) end)
) as a (activity, seen)
where j.state in ('created', 'retry', 'active') and a.seen is not null
group by a.activity
