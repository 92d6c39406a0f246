-- Returns the foreign keys to the tables $2 of the schema $1 that set their columns to NULL or a default on deletion, with
-- the table, whether the role owns it, the constraint, its definition, and the quoted columns. Tables that are truncated
-- anyway (truncated_tables.sql) are left out. Reads only the catalog.
with recursive member as (
    select c.oid
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1
        and c.relkind in ('r', 'p')
        and c.relname = any($2::text[])
    union
    select f.conrelid
    from member as m
    join pg_constraint as f on f.confrelid = m.oid and f.contype = 'f' and f.conparentid = 0
    where f.confdeltype in ('a', 'r', 'c')
)
select
    n.nspname as schema_name,
    c.relname as table_name,
    pg_has_role(c.relowner, 'usage') as is_owned,
    f.conname as constraint_name,
    pg_get_constraintdef(f.oid) as definition,
    f.confdeltype = 'd' as to_default,
    array(
        select quote_ident(a.attname)
        from pg_attribute as a
        -- The column exists since PostgreSQL 15. It lists the columns to set, if not all are set.
        cross join lateral (select to_jsonb(f) -> 'confdelsetcols' as some_columns) as s
        where a.attrelid = f.conrelid
            and case
                when jsonb_typeof(s.some_columns) = 'array' then s.some_columns @> to_jsonb(a.attnum)
                else a.attnum = any (f.conkey)
            end
        order by a.attnum
    ) as columns
from member as m
join pg_constraint as f on f.confrelid = m.oid and f.contype = 'f' and f.conparentid = 0
join pg_class as c on c.oid = f.conrelid
join pg_namespace as n on n.oid = c.relnamespace
where f.confdeltype in ('n', 'd')
    and not exists (select from member as o where o.oid = f.conrelid)
order by 1, 2, 4
