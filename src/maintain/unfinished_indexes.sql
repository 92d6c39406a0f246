-- Returns the indexes of the schema $1 whose names begin with $2 and that are invalid, because their creation was
-- interrupted. Leaves out indexes of partitioned tables, which become valid with their last part, and their attached
-- parts, which were finished before. Reads only the catalog.
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
