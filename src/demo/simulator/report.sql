-- Workers report that they run their jobs: started_on becomes now().

with confirmed as (
    update job_attempt
    set dispatch_confirmed_at = now(), updated_on = now()
    where dispatch_confirmed_at is null
        and terminal_at is null
        and activated_at > now() - interval '1 minute'
    returning run_attempt_id
),

running as (
    update job
    set started_on = now()
    from confirmed
    where job.run_attempt_id = confirmed.run_attempt_id and state = 'active'
    returning job.id
)

update kv_store_worker
set value = '{"status": "RUNNING"}', updated_at = now()
from running
where namespace = 'job' and key = 'marie_internal/job_info_' || running.id
