-- Returns the last history_id of a slice of job_history: the slice has $3 rows and begins after history_id $1. Returns
-- $2 if fewer rows are left up to that history_id. One row.
-- Index: the primary key. Without it the whole history is read.
select coalesce(
    (
        select history_id from marie_scheduler.job_history
        where history_id > $1 and history_id <= $2
        order by history_id
        offset $3 - 1 limit 1
    ),
    $2
)::int8 as slice_end
