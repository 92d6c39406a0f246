-- Returns the attempts of a job, earliest first. They stay when the job is purged. $1 the job's id.
-- Index: job_attempt's on job_id.
select
    run_attempt_id,
    attempt_state as state,
    run_owner,
    executor,
    activated_at,
    terminal_at,
    terminal_status,
    terminal_accepted,
    terminal_reject_reason as reject_reason,
    recovery_at,
    recovery_state,
    recovery_reason
from marie_scheduler.job_attempt
where job_id = $1
order by activated_at, run_attempt_id
