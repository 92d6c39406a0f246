-- Returns the columns of relations, and whether the session's role may read them, which also needs a right on the schema.
-- One row for each column. xmin and ctid, which queries read, are the only system columns; views have none.
-- $1: name of the schema. $2: names of the relations.
-- Index: those of the catalog; no other table is read.
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
    -- Needed columns have names in ASCII, and some encodings cannot send other characters.
    and a.attname !~ '[^ -~]'
