-- The history_id of job_history at which a slice of $3 rows ends that begins after $1, or $2 where fewer are left
-- up to that. One row.
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
