-- The job table of a database in which jobs cannot be deferred. Not materialized, so that its indexes serve.
job as not materialized (
    select
        id, name, state, dag_id, created_on, completed_on, dependencies,
        null::timestamptz as start_after
    from marie_scheduler.job
)
