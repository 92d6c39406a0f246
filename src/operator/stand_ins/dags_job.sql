-- The job table, as dags/show/jobs.sql reads it, of a database in which jobs have no level and cannot be deferred. Not
-- materialized, so that its indexes serve.
job as not materialized (
    select
        id, name, state, dag_id, retry_count, started_on, completed_on,
        null::int as job_level,
        null::timestamptz as start_after
    from marie_scheduler.job
)
