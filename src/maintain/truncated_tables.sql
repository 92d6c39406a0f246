-- Returns the tables $2 of the schema $1 and every table whose rows cannot exist without theirs, through any number of
-- foreign keys. TRUNCATE requires all of them together. For other foreign keys see detaching_keys.sql.
-- Reads only the catalog.
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
select n.nspname as schema_name, c.relname as table_name
from member as m
join pg_class as c on c.oid = m.oid
join pg_namespace as n on n.oid = c.relnamespace
where not c.relispartition
order by 1, 2
