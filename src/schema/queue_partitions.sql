-- The partitions of job that may hold rows: the values of the column name that each is for, and how many relations
-- planning over it locks. A partition without a page holds no row.
-- $1 is the schema's name. pg_relation_size gives its lock back at once. Costs a look at each partition's file.
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
