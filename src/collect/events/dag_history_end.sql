-- How far dag_history reaches now, whether the row that was the last at the previous poll is still there, and who
-- writes it. One row. Times are whole microseconds; NULL where the date is invalid.
-- $1 history_id of that row; $2 transaction id. is_old: a transaction below $2 wrote the row as it is now. seen is
-- NULL where the row is gone. file is 0 where the history is partitioned.
-- is_written: an enabled trigger of dag mentions a history; is_disabled: there is one, and none is enabled.
-- Index: the primary key, of which the last entry and one other are read. Without it the whole history is read.
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
