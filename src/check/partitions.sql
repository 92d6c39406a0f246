-- The partitions of a table with their numbers, by name. $1 the schema's name, $2 the table's.
select p.relname::text as partition, p.oid::bigint as oid
from pg_namespace as n
join pg_class as c on c.relnamespace = n.oid
join pg_inherits as i on i.inhparent = c.oid
join pg_class as p on p.oid = i.inhrelid
where n.nspname = $1 and c.relname = $2
order by 1
