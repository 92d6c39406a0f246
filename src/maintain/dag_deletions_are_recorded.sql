-- Returns whether a trigger runs for each row that is deleted from dag. Marie's trigger copies the row to dag_history.
-- $1 schema. Reads only the catalog.
select exists (
    select
    from pg_trigger as t
    join pg_class as c on c.oid = t.tgrelid and c.relname = 'dag'
    join pg_namespace as n on n.oid = c.relnamespace and n.nspname = $1
    -- Of tgtype, 1 means for each row and 8 means on DELETE.
    where not t.tgisinternal and t.tgenabled in ('O', 'A') and t.tgtype & 1 = 1 and t.tgtype & 8 = 8
) as is_recorded
