-- Returns the foreign keys of other tables to jobs and DAGs: the table, whether it refers to jobs, the column that holds the
-- id, and whether the key forbids deleting the row to which it refers. $1 schema. Reads only the catalog.
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
    -- These rows belong to the jobs and DAGs themselves.
    and not c.relispartition
    and not (n.nspname = $1 and c.relname in ('job', 'dag', 'job_dependencies'))
order by 1, 2, 3
