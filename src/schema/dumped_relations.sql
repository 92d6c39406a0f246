-- How many relations pg_dump locks in the schema $1: tables, their partitions, sequences, views; no index. Costs a look
-- into the catalog.
select count(*) as relations
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind in ('r', 'p', 'S', 'v', 'm', 'f')
