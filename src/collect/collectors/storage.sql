-- Returns size, estimated rows, last vacuum and last analyze of the scheduler's tables, all partitions together.
-- $1: name of the schema. The key-value tables are in public if the deployment names no schema for them.
-- Needs no right on the tables. Reads the files and statistics of each partition.
with recursive root as (
    select t.name, c.oid
    from unnest(array[
        'job', 'job_history', 'dag', 'dag_history', 'archive', 'job_dependencies',
        'kv_store_worker', 'kv_store_worker_history'
    ]) as t (name)
    cross join lateral (
        select c.oid
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.relname = t.name
            and c.relkind in ('r', 'p')
            and (n.nspname = $1 or (n.nspname = 'public' and t.name like 'kv\_%'))
        order by n.nspname = $1 desc
        limit 1
    ) as c
),
-- pg_partition_tree would lock the partitions until the end of the transaction, but not their table. A session that locks
-- all of them from the top would then deadlock with the next query that reads the table.
part as (
    select name, oid from root
    union
    select p.name, i.inhrelid from part as p join pg_inherits as i on i.inhparent = p.oid
),
leaf as (
    select p.name as table_name, c.oid, c.reltoastrelid as toast
    from part as p
    join pg_class as c on c.oid = p.oid and c.relkind = 'r'
),
measured as (
    select
        table_name,
        sum(pg_table_size(oid)) as heap_and_toast,
        sum(pg_indexes_size(oid)) as indexes,
        sum(case when toast <> 0 then pg_total_relation_size(toast) else 0 end) as toast,
        sum(pg_stat_get_live_tuples(oid)) as live,
        sum(pg_stat_get_dead_tuples(oid)) as dead,
        min(greatest(pg_stat_get_last_vacuum_time(oid), pg_stat_get_last_autovacuum_time(oid))) as vacuum,
        min(greatest(pg_stat_get_last_analyze_time(oid), pg_stat_get_last_autoanalyze_time(oid))) as analyze
    from leaf
    group by table_name
)
select
    m.table_name::text as "table",
    v.part::text as part,
    v.kind::text as kind,
    v.bytes::float8 as marie_table_size_bytes,
    v.row_count::float8 as marie_table_rows,
    case when v.part = 'heap' then extract(epoch from m.vacuum) end::float8
        as marie_table_last_vacuum_timestamp_seconds,
    case when v.part = 'heap' then extract(epoch from m.analyze) end::float8
        as marie_table_last_analyze_timestamp_seconds
from measured as m
cross join lateral (
    values
        ('heap', null, m.heap_and_toast - m.toast, null),
        ('indexes', null, m.indexes, null),
        ('toast', null, m.toast, null),
        (null, 'live', null, m.live),
        (null, 'dead', null, m.dead)
) as v (part, kind, bytes, row_count)
