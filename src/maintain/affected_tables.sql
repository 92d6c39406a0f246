-- Returns the tables in which deleting jobs or DAGs changes rows: deletes them, or removes their reference. A foreign key
-- can lead there directly or through other tables. A table in which both happens counts as deleted.
-- $1 schema. Reads only the catalog.
with recursive deleted as (
    select c.oid
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname in ('job', 'dag') and c.relkind in ('r', 'p')
    union
    select f.conrelid
    from deleted as g
    join pg_constraint as f on f.confrelid = g.oid
    where f.contype = 'f' and f.conparentid = 0 and f.confdeltype = 'c'
),
affected as (
    select f.conrelid as oid, bool_or(f.confdeltype = 'c') as is_deleted
    from deleted as g
    join pg_constraint as f on f.confrelid = g.oid
    where f.contype = 'f' and f.conparentid = 0 and f.confdeltype in ('c', 'n', 'd')
    group by f.conrelid
)
select n.nspname as schema_name, c.relname as table_name, a.is_deleted
from affected as a
join pg_class as c on c.oid = a.oid
join pg_namespace as n on n.oid = c.relnamespace
where not c.relispartition
    -- These rows belong to the jobs and DAGs themselves.
    and not (n.nspname = $1 and c.relname in ('job', 'dag', 'job_dependencies'))
order by 1, 2
