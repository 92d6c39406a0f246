-- Whether a trigger fires for each row that is deleted from dag: Marie's writes the row into dag_history. $1 schema.
select exists (
    select
    from pg_trigger as t
    join pg_class as c on c.oid = t.tgrelid and c.relname = 'dag'
    join pg_namespace as n on n.oid = c.relnamespace and n.nspname = $1
    -- Bit 1 for each row, bit 4 on DELETE.
    where not t.tgisinternal and t.tgenabled in ('O', 'A') and t.tgtype & 1 = 1 and t.tgtype & 8 = 8
) as recorded
