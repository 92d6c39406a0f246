-- The job table, as jobs/show/payload.sql reads it, of a database that keeps no output.
job as not materialized (
    select id, data, null::jsonb as output from marie_scheduler.job
)
