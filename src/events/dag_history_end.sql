-- How far dag_history reaches now, whether a row of it is still there, and who writes it. One row.
-- $1 history_id and $2 transaction id: the row counts as still there if it was written before that transaction; a
-- row of the same id that was written later is another one.
-- is_written: an enabled trigger of dag mentions a history; is_disabled: there is one, and none is enabled.
-- Index: the primary key, of which the last entry and one other are read. Without it the whole history is read.
select
    (select max(history_id) from marie_scheduler.dag_history)::int8 as last,
    coalesce(pg_relation_filenode(to_regclass('marie_scheduler.dag_history')), 0)::int8 as file,
    exists (
        select from marie_scheduler.dag_history where history_id = $1 and age(xmin) > age($2::xid8::xid)
    ) as is_kept,
    coalesce(bool_or(tgenabled not in ('D', 'R')), false) as is_written,
    coalesce(bool_and(tgenabled in ('D', 'R')), false) as is_disabled
from pg_trigger
join pg_proc on pg_proc.oid = tgfoid
where tgrelid = to_regclass('marie_scheduler.dag') and not tgisinternal and prosrc ilike '%history%'
