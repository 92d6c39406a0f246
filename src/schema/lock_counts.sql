-- Returns how many relations each table of the schema has: itself, its partitions, and the indexes of all of them. Planning
-- a statement over a table locks all of them. One row for each table.
-- $1: name of the schema.
-- relations: all. own: the table and its own indexes. largest: the largest partition and its indexes. filled: partitions
-- that have a page, and their indexes.
-- is_by_queue: whether each partition is for a list of values of the column name.
-- Reads only the catalog. The cost follows the number of partitions.
with recursive member (root, oid) as (
    select c.oid, c.oid
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition
    union all
    select m.root, i.inhrelid
    from member as m
    join pg_inherits as i on i.inhparent = m.oid
),
counted as (
    select
        m.root,
        m.oid,
        1 + count(x.indexrelid) as relations,
        m.root <> m.oid and pg_relation_size(m.oid) > 0 as is_filled
    from member as m
    left join pg_index as x on x.indrelid = m.oid
    group by m.root, m.oid
)
select
    c.relname::text as table_name,
    sum(k.relations)::int8 as relations,
    (max(k.relations) filter (where k.oid = k.root))::int8 as own,
    coalesce(max(k.relations) filter (where k.oid <> k.root), 0)::int8 as largest,
    coalesce(sum(k.relations) filter (where k.is_filled), 0)::int8 as filled,
    exists (
        select
        from pg_partitioned_table as p
        join pg_attribute as a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
        where p.partrelid = c.oid and p.partstrat = 'l' and p.partnatts = 1 and p.partdefid = 0 and a.attname = 'name'
    ) as is_by_queue
from counted as k
join pg_class as c on c.oid = k.root
group by c.oid, c.relname
