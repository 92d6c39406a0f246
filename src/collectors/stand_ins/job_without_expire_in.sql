-- The job table of a database in which jobs have no time limit. Not materialized, so that its indexes serve.
job as not materialized (
    select name, state, started_on, null::interval as expire_in from marie_scheduler.job
)
