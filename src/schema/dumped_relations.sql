-- Returns how many relations of the schema $1 pg_dump locks: tables, their partitions, sequences and views, but no
-- indexes. Reads only the catalog.
select count(*) as relations
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind in ('r', 'p', 'S', 'v', 'm', 'f')
