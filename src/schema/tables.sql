-- The tables of the monitored schema, their columns and whether our role may read them.
-- $1 is the schema's name. Returns a row for every column; a table that we may read in part counts the
-- columns that we may read. Costs a look into the catalog, served by its own indexes.
select
    c.relname::text as table_name,
    a.attname::text as column_name,
    c.relkind = 'p' as partitioned,
    has_column_privilege(c.oid, a.attnum, 'select') as readable
from pg_namespace as n
join pg_class as c on c.relnamespace = n.oid
join pg_attribute as a on a.attrelid = c.oid
where n.nspname = $1
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and not c.relispartition
    and a.attnum > 0
    and not a.attisdropped
