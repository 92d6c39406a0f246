-- The indexes of the relations $2 of the monitored schema by definition, for their names change from release to release.
-- $1 is the schema's name. Partitions are left out: an index of the parent is on each of them.
-- Only usable b-trees count, by the columns that they are sorted by; an expression shows as an empty name.
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
    -- None of ours has a character beyond ASCII, and not every encoding can send one.
    and coalesce(pg_get_expr(i.indpred, i.indrelid), '') !~ '[^ -~]'
