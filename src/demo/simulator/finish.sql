-- Ends active jobs at random. The chance follows from $1, the seconds since the last step, and the queue's mean run
-- time, so that no plan has to be stored. Failed jobs are retried after a growing delay, at most retry_limit times.
-- Returns the DAGs of the jobs that are finished.

with ending as materialized (
    select
        job.id,
        random() < case when job.retry_count = 0 then failing_share else 0.5 end as has_failed
    from job
    join profile on profile.queue = job.name
    where job.state = 'active'
        and job.run_owner not in ('worker-hung', 'worker-lost')
        and random() < 1 - exp(- $1 / mean_run_seconds)
),

verdict as materialized (
    select
        job.id, job.run_attempt_id, job.run_owner,
        case
            when not has_failed then 'completed'
            when retry_count < retry_limit then 'retry'
            else 'failed'
        end::job_state as state
    from ending
    join job using (id)
),

ended as (
    update job
    set state = verdict.state,
        completed_on = case when verdict.state <> 'retry' then now() end,
        start_after = case
            when verdict.state = 'retry' then now() + make_interval(
                secs => job.retry_delay * power(2, job.retry_count) * (1 + random())
            )
            else job.start_after
        end,
        output = case
            when verdict.state = 'completed' then '{"pages": 3}'
            else '{"error": "the executor gave up"}'
        end::jsonb,
        lease_owner = null, lease_expires_at = null,
        run_owner = null, run_lease_expires_at = null, run_attempt_id = null
    from verdict
    where job.id = verdict.id
    returning job.id, job.dag_id, job.state
),

attempt as (
    update job_attempt
    set attempt_state = 'terminal',
        terminal_at = now(),
        terminal_status = case when verdict.state = 'completed' then 'SUCCEEDED' else 'FAILED' end,
        terminal_work_state = verdict.state::text,
        terminal_source = 'worker',
        terminal_gateway_instance_id = 'gateway-1',
        terminal_scheduler_lease_owner = 'gateway-1',
        terminal_accepted = true,
        updated_on = now()
    from verdict
    where job_attempt.run_attempt_id = verdict.run_attempt_id
),

noted as (
    update kv_store_worker
    set value = jsonb_build_object(
            'status', case when verdict.state = 'completed' then 'SUCCEEDED' else 'FAILED' end
        ),
        updated_at = now()
    from verdict
    where namespace = 'job' and key = 'marie_internal/job_info_' || verdict.id
)

select distinct dag_id from ended where state <> 'retry'
