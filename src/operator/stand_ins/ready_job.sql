-- The job table, as top/ready.sql reads it, of a database in which jobs cannot be deferred. Not materialized, so that its
-- indexes serve.
job as not materialized (
    select id, name, state, dag_id, dependencies, null::timestamptz as start_after from marie_scheduler.job
)
