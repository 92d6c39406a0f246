-- Returns the end of dag_history, the state of the row that the previous run saw last, and the state of the
-- triggers that write the history. One row. Times are whole microseconds, NULL if the date is invalid.
-- $1: history_id of the row that the previous run saw last. $2: transaction id.
-- last, recorded: the last row; NULL if the history is empty.
-- file: file of the table; 0 if the history is partitioned.
-- seen, seen_recorded: the row $1 as it is now; NULL if it is gone.
-- is_old: whether a transaction below $2 wrote the row $1 as it is now.
-- is_written: whether an enabled trigger of the table dag mentions a history.
-- is_disabled: whether such triggers exist and all are disabled.
-- Index: the primary key, of which two entries are read. Without it the whole history is read.
select
    last_row.history_id::int8 as last,
    last_row.recorded as recorded,
    coalesce(pg_relation_filenode(to_regclass('marie_scheduler.dag_history')), 0)::int8 as file,
    seen_row.history_id::int8 as seen,
    seen_row.recorded as seen_recorded,
    coalesce(seen_row.is_old, false) as is_old,
    trigger_state.is_written,
    trigger_state.is_disabled
from (
    select
        coalesce(bool_or(tgenabled not in ('D', 'R')), false) as is_written,
        coalesce(bool_and(tgenabled in ('D', 'R')), false) as is_disabled
    from pg_trigger
    join pg_proc on pg_proc.oid = tgfoid
    where tgrelid = to_regclass('marie_scheduler.dag') and not tgisinternal and prosrc ilike '%history%'
) as trigger_state
left join lateral (
    select
        history_id,
        case
            when history_created_on > '1970-01-01' and history_created_on < '3000-01-01'
                then round(date_part('epoch', history_created_on) * 1000000)::int8
        end as recorded
    from marie_scheduler.dag_history
    order by history_id desc
    limit 1
) as last_row on true
left join lateral (
    select
        history_id,
        case
            when history_created_on > '1970-01-01' and history_created_on < '3000-01-01'
                then round(date_part('epoch', history_created_on) * 1000000)::int8
        end as recorded,
        age(xmin) > age($2::xid8::xid) as is_old
    from marie_scheduler.dag_history
    where history_id = $1
    limit 1
) as seen_row on true
