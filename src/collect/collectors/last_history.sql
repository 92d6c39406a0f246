-- Returns the newest start and finish among the newest 1000 rows of the history. Most rows are refreshes of unchanged jobs.
-- A start is a row that was written in the transaction that started the job; likewise a finish.
-- Index: the primary key, read from its end.
with newest as (
    select state, started_on, completed_on, history_created_on
    from marie_scheduler.job_history
    order by history_id desc
    limit 1000
)
select
    activity,
    extract(epoch from max(history_created_on))::float8 as marie_scheduler_last_activity_timestamp_seconds
from (
    select 'start' as activity, history_created_on
    from newest
    where state = 'active' and started_on = history_created_on
    union all
    select 'finish', history_created_on
    from newest
    where state not in ('created', 'retry', 'active') and completed_on = history_created_on
) as event
group by activity
