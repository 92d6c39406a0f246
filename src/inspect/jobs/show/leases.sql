-- Returns the leases of a job: that of the scheduler that is about to dispatch it, and that of the gateway that runs
-- it.
-- $1 the job's id. Index: the one on id.
select lease_owner, lease_expires_at, lease_epoch, run_owner, run_lease_expires_at
from marie_scheduler.job
where id = $1
limit 1
