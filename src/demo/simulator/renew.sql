-- Renews the run leases of workers that the gateway still hears from, hung ones included.

update job
set run_lease_expires_at = now() + interval '1 minute'
where state = 'active'
    and run_owner is not null
    and run_attempt_id is not null
    and run_owner <> 'worker-lost'
    and run_lease_expires_at < now() + interval '40 seconds'
