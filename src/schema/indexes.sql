-- Returns the indexes of relations by their definition, because their names change from release to release. Only valid
-- b-trees are returned. Partitions are omitted, because each has the indexes of its parent.
-- $1: name of the schema. $2: names of the relations.
-- columns: the columns by which the index is sorted; an expression is an empty name.
-- Index: those of the catalog; no other table is read.
select
    c.relname::text as table_name,
    array(
        select coalesce(case when a.attname !~ '[^ -~]' then a.attname end, '')::text
        from unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
        left join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum and k.attnum > 0
        where k.place <= i.indnkeyatts
        order by k.place
    ) as columns,
    pg_get_expr(i.indpred, i.indrelid)::text as predicate
from pg_namespace as n
join pg_class as c on c.relnamespace = n.oid
join pg_index as i on i.indrelid = c.oid
join pg_class as x on x.oid = i.indexrelid
join pg_am as m on m.oid = x.relam
where n.nspname = $1
    and c.relname = any($2::text[])
    and i.indisvalid
    and m.amname = 'btree'
    -- Needed indexes have only ASCII in their conditions, and some encodings cannot send other characters.
    and coalesce(pg_get_expr(i.indpred, i.indrelid), '') !~ '[^ -~]'
