-- The finished jobs in other states than completed, where these are the states after completed.
-- Index: one that leads with state.
slice as not materialized (
    select name, state, retry_count, completed_on
    from marie_scheduler.job
    where state > 'completed'
)
