-- The tables whose rows are deleted when jobs or DAGs are, because they refer to them, or to such rows, by a foreign key that
-- deletes them; and those whose rows stay and lose their reference. A table that does both is deleted from. $1 the
-- schema's name. Reads the catalog only.
with recursive gone as (
    select c.oid
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname in ('job', 'dag') and c.relkind in ('r', 'p')
    union
    select f.conrelid
    from gone as g
    join pg_constraint as f on f.confrelid = g.oid
    where f.contype = 'f' and f.conparentid = 0 and f.confdeltype = 'c'
),
affected as (
    select f.conrelid as oid, bool_or(f.confdeltype = 'c') as is_deleted
    from gone as g
    join pg_constraint as f on f.confrelid = g.oid
    where f.contype = 'f' and f.conparentid = 0 and f.confdeltype in ('c', 'n', 'd')
    group by f.conrelid
)
select n.nspname as schema_name, c.relname as table_name, a.is_deleted
from affected as a
join pg_class as c on c.oid = a.oid
join pg_namespace as n on n.oid = c.relnamespace
where not c.relispartition
    -- Jobs and what follows from their own columns go with them.
    and not (n.nspname = $1 and c.relname in ('job', 'dag', 'job_dependencies'))
order by 1, 2
