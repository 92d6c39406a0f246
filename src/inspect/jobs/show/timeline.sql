-- How a job came to its state: the rows of its history but those that only refresh priority or duration, which are the
-- most. $1 the job's id; reach says between which rows of the history they are.
-- Index: one of job_history that leads with id; without it the primary key, and all rows within the reach are read: as
-- many as all jobs had in that time.
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
