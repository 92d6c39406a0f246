-- Returns the finishes of DAGs among new rows of dag_history: one row for each planner and state, with arrays of one
-- element for each finish.
-- A finish is a row with a finished state and completed_on = history_created_on. A row that records a deletion is no
-- finish.
-- Arguments, times and transactions: as in job_events.sql.
-- Index: the primary key. Without it the whole history is read at each run.
select
    planner,
    state,
    array_agg(id) as ids,
    array_agg(history_id) as history_ids,
    array_agg(recorded) as recorded,
    array_agg(written) as transactions,
    array_agg(run) as runs
from (
    select
        id,
        history_id,
        age(xmin) as written,
        -- Clients choose names. All names that are too long for a label or cannot be sent become the same text.
        case
            when planner is null then 'unknown'
            when octet_length(planner) <= 400 and (planner collate "C" ~ $5::text) is not false then planner
            else repeat('?', 201)
        end::text as planner,
        state::text as state,
        round(date_part('epoch', history_created_on) * 1000000)::int8 as recorded,
        round(date_part('epoch', completed_on - created_on) * 1000000)::int8 as run
    from marie_scheduler.dag_history
    where history_id > $1 and history_id <= $2
        and age(xmin) <= age($3::xid8::xid)
        and age(xmin) > age($4::xid8::xid)
        and state in ('completed', 'failed', 'cancelled', 'expired')
        and completed_on = history_created_on
        and history_created_on > '1970-01-01'
        and history_created_on < '3000-01-01'
        -- Invalid dates are ignored.
        and created_on > '1970-01-01'
        and created_on < '3000-01-01'
) as finish
group by planner, state
