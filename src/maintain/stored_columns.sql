-- Returns the columns of a table, without generated ones, and whether an inserted row must have a value for each.
-- $1 schema; $2 table. Reads only the catalog.
select
    a.attname as name,
    format_type(a.atttypid, a.atttypmod) as type,
    a.attnotnull and not a.atthasdef and a.attidentity = '' as is_required
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = $1
    and c.relname = $2
    and a.attnum > 0
    and not a.attisdropped
    and a.attgenerated = ''
order by a.attnum
