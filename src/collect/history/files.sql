-- The tables that hold rows of job: job itself or its partitions, each with the number of its file and its size in pages. The
-- number changes when the table is rewritten or emptied; it is NULL if there is no such file, as for a foreign table.
-- $1 is the schema's name. No row for a view. Costs a look at each partition's file, whose lock is given back at once.
with recursive member (oid, kind) as (
    select c.oid, c.relkind
    from pg_namespace as n
    join pg_class as c on c.relnamespace = n.oid
    where n.nspname = $1 and c.relname = 'job'
    union all
    select c.oid, c.relkind
    from member as m
    join pg_inherits as i on i.inhparent = m.oid
    join pg_class as c on c.oid = i.inhrelid
)
select
    oid::int8 as oid,
    pg_relation_filenode(oid)::int8 as file,
    coalesce(pg_relation_size(oid), 0) / current_setting('block_size')::int8 as pages
from member
where kind not in ('p', 'v')
