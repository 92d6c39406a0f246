-- The relations $2 of the monitored schema, their columns and whether our role may read them. Without a right on the
-- schema itself, those on its tables are worth nothing.
-- $1 is the schema's name. Returns a row for every column, and for xmin and ctid, the only ones of the system's own that
-- anything reads; views have none. Costs a look into the catalog, served by its own indexes.
select
    c.relname::text as table_name,
    a.attname::text as column_name,
    c.relkind = 'p' as partitioned,
    has_schema_privilege(n.oid, 'usage') and has_column_privilege(c.oid, a.attnum, 'select') as readable
from pg_namespace as n
join pg_class as c on c.relnamespace = n.oid
join pg_attribute as a on a.attrelid = c.oid
where n.nspname = $1
    and c.relname = any($2::text[])
    and c.relkind in ('r', 'p', 'v')
    and (a.attnum > 0 or a.attname in ('xmin', 'ctid'))
    and not a.attisdropped
    -- None of ours has another character, and not every encoding can send one.
    and a.attname !~ '[^ -~]'
