-- Returns the rows of a job's history that changed it. Rows that only refresh priority or duration, which are most, are
-- left out. $1 the job's id; `reach` gives the first and the last row of the history to read.
-- Index: one of job_history that leads with id. Without it the primary key, and all rows in `reach` are read: those
-- that all jobs wrote in that period.
select recorded_on, state, retry_count, started_on, completed_on, run_attempt_id
from (
    select
        history_id,
        history_created_on as recorded_on,
        state,
        retry_count,
        started_on,
        completed_on,
        run_attempt_id,
        row(state, retry_count, started_on, completed_on, run_attempt_id) as image,
        lag(row(state, retry_count, started_on, completed_on, run_attempt_id)) over (order by history_id) as before
    from marie_scheduler.job_history
    where id = $1
        and history_id between (select low from reach) and (select high from reach)
) as recorded
where image is distinct from before
order by history_id
