-- The history, as jobs/show/timeline.sql reads it, of a database that numbers no attempts. Not materialized, so that its
-- indexes serve.
job_history as not materialized (
    select
        history_id, id, state, retry_count, started_on, completed_on, null::uuid as run_attempt_id, history_created_on
    from marie_scheduler.job_history
)
