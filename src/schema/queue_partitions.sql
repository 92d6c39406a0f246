-- Returns the partitions of job that may have rows: the bound of each, and the number of relations that planning a statement
-- over it locks. A partition without a page has no rows.
-- $1: name of the schema.
-- Reads the catalog and the size of each partition's file. pg_relation_size releases its lock at once.
select
    pg_get_expr(c.relpartbound, c.oid)::text as bound,
    (select count(*) from pg_index as x where x.indrelid = c.oid) + 1 as relations,
    c.oid::int8 as "table"
from pg_namespace as n
join pg_class as j on j.relnamespace = n.oid and j.relname = 'job'
join pg_inherits as i on i.inhparent = j.oid
join pg_class as c on c.oid = i.inhrelid
where n.nspname = $1 and (c.relkind <> 'r' or pg_relation_size(c.oid) > 0)
order by 1
