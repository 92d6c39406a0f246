-- Foreign keys by which rows of other tables refer to a job or a DAG, one row each: the table, whether it refers to
-- jobs, its column that holds the id, and whether its rows keep what they refer to from going.
-- $1 the schema's name. Reads the catalog only.
select
    n.nspname as schema_name,
    c.relname as table_name,
    target.relname = 'job' as is_to_job,
    a.attname as column_name,
    f.confdeltype in ('a', 'r') as forbids
from pg_constraint as f
join pg_class as target on target.oid = f.confrelid
join pg_namespace as home on home.oid = target.relnamespace and home.nspname = $1
join pg_class as c on c.oid = f.conrelid
join pg_namespace as n on n.oid = c.relnamespace
cross join lateral unnest(f.conkey, f.confkey) as pair (referring, referred)
join pg_attribute as t on t.attrelid = f.confrelid and t.attnum = pair.referred and t.attname = 'id'
join pg_attribute as a on a.attrelid = f.conrelid and a.attnum = pair.referring
where f.contype = 'f'
    and f.conparentid = 0
    and target.relname in ('job', 'dag')
    -- Jobs and what follows from their own columns go with them.
    and not c.relispartition
    and not (n.nspname = $1 and c.relname in ('job', 'dag', 'job_dependencies'))
order by 1, 2, 3
