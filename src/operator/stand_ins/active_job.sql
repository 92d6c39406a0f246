-- The job table, as jobs/stuck.sql reads it, of a database that does not say who runs a job. Not materialized, so that
-- its indexes serve.
job as not materialized (
    select id, name, state, dag_id, retry_count, started_on, null::text as run_owner from marie_scheduler.job
)
