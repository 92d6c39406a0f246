-- The job table of a database without leases. Not materialized, so that its indexes serve.
job as not materialized (
    select
        state,
        started_on,
        null::timestamptz as lease_expires_at,
        null::timestamptz as run_lease_expires_at
    from marie_scheduler.job
)
