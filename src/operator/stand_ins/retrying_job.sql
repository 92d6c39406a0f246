-- The job table, as jobs/retrying.sql reads it, of a database in which jobs cannot be deferred. Not materialized, so that
-- its indexes serve.
job as not materialized (
    select id, name, state, dag_id, retry_count, retry_limit, started_on, null::timestamptz as start_after from marie_scheduler.job
)
