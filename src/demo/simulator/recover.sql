-- Takes back jobs whose run lease has expired. In gen5_extract it does not, so that jobs stay stuck.
-- Returns the DAGs of jobs without a retry left.

with recovered as (
    select id, run_attempt_id, (case when retry_count < retry_limit then 'retry' else 'failed' end)::job_state as state
    from job
    where state = 'active'
        and run_owner is not null
        and run_attempt_id is not null
        and run_lease_expires_at < now()
        and name <> 'gen5_extract'
),

taken_back as (
    update job
    set state = recovered.state,
        completed_on = case when recovered.state = 'failed' then now() end,
        start_after = now(),
        run_owner = null, run_lease_expires_at = null, run_attempt_id = null
    from recovered
    where job.id = recovered.id
    returning job.dag_id, job.state
),

attempt as (
    update job_attempt
    set recovery_at = now(),
        recovery_state = recovered.state::text,
        recovery_reason = 'RUN_LEASE_EXPIRED',
        updated_on = now()
    from recovered
    where job_attempt.run_attempt_id = recovered.run_attempt_id
)

select distinct dag_id from taken_back where state = 'failed'
