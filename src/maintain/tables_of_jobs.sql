-- The tables that hold jobs, DAGs, their histories and the workers' state, and every table that refers to them, however
-- far: TRUNCATE takes them only together. The archive is not among them. $1 the schema's name. Reads the catalog only.
with recursive member as (
    select c.oid
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1
        and c.relkind in ('r', 'p')
        and c.relname in (
            'job', 'job_history', 'job_dependencies', 'job_attempt', 'dag', 'dag_history', 'kv_store_worker',
            'kv_store_worker_history'
        )
    union
    select f.conrelid
    from member as m
    join pg_constraint as f on f.confrelid = m.oid and f.contype = 'f' and f.conparentid = 0
)
select n.nspname as schema_name, c.relname as table_name
from member as m
join pg_class as c on c.oid = m.oid
join pg_namespace as n on n.oid = c.relnamespace
where not c.relispartition
order by 1, 2
