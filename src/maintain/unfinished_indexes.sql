-- Indexes of the schema $1 whose names begin with $2 and that no query can use: their making was interrupted. Those of
-- partitioned tables are not among them, which become usable with the last part, and no part of them that is attached,
-- which was finished before. Reads the catalog only.
select c.relname as name
from pg_index as i
join pg_class as c on c.oid = i.indexrelid
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = $1
    and starts_with(c.relname, $2)
    and not i.indisvalid
    and c.relkind = 'i'
    and not c.relispartition
order by 1
