-- Every job. No index serves it: cost follows the history.
slice as not materialized (
    select name, state, retry_count, completed_on
    from marie_scheduler.job
)
