-- The finished jobs in other states than completed, of a range of ids. $11 the first id, $12 the last.
-- Index: on (id) where state <> 'completed', in which the unfinished jobs are too. Without it every job is read.
slice as not materialized (
    select name, state, retry_count, completed_on
    from marie_scheduler.job
    where state <> 'completed'
        and state not in ('created', 'retry', 'active')
        and id between $11::text::uuid and $12::text::uuid
)
