-- Returns the number of rows of job_history below the number $1 that were written before $2, by queue and state.
-- Index: the primary key. Reads each of these rows.
select
    name as queue_or_planner,
    state::text as state,
    count(*) as rows,
    to_char(min(history_created_on) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') as oldest,
    to_char(max(history_created_on) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') as newest
from marie_scheduler.job_history
where history_id < $1 and history_created_on < $2::text::timestamptz
group by 1, 2
order by 1, 2
