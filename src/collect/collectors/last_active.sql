-- The newest start among active jobs, and the latest expiry of their leases, now at most, because a worker that took or
-- renewed a lease was alive. The pass over unfinished jobs returns the same of waiting jobs.
-- Index: one that leads with state. Without it every job is read.
select
    a.activity,
    extract(epoch from max(least(a.seen, a.at_most)))::float8 as marie_scheduler_last_activity_timestamp_seconds
from marie_scheduler.job as j
cross join lateral (
    values
        ('start', j.started_on, null),
        ('lease', j.lease_expires_at, now()),
        ('lease', j.run_lease_expires_at, now())
) as a (activity, seen, at_most)
where j.state = 'active' and a.seen between '1970-01-01' and '3000-01-01'
group by a.activity
