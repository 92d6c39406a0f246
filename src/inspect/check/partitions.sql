-- Returns the partitions of the schema $1's tables on every level: OID, name and schema, the OID of the table that the
-- partition is attached to, whether it is partitioned itself, and the name of the table at the top.
-- Reads the catalog only.
with recursive partition as (
    select p.oid, i.inhparent, p.relname, p.relnamespace, p.relkind, c.relname as top
    from pg_namespace as n
    join pg_class as c on c.relnamespace = n.oid and c.relkind = 'p' and not c.relispartition
    join pg_inherits as i on i.inhparent = c.oid
    join pg_class as p on p.oid = i.inhrelid
    where n.nspname = $1
    union all
    select p.oid, i.inhparent, p.relname, p.relnamespace, p.relkind, a.top
    from partition as a
    join pg_inherits as i on i.inhparent = a.oid
    join pg_class as p on p.oid = i.inhrelid
    where a.relkind = 'p'
)
select
    p.oid::int8 as oid,
    p.inhparent::int8 as parent,
    n.nspname::text as schema_name,
    p.relname::text as table_name,
    p.relkind = 'p' as is_partitioned,
    p.top::text as top
from partition as p
join pg_namespace as n on n.oid = p.relnamespace
order by 3, 4
