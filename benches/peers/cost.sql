-- Returns the cost of the role $1 since the statistics were reset: number of statements, seconds of planning and
-- executing, pages read from the cache or the disk.
select
    sum(calls)::float8 as statements,
    sum(total_plan_time + total_exec_time) / 1000 as seconds,
    sum(shared_blks_hit + shared_blks_read)::float8 as pages
from public.pg_stat_statements as statements
join pg_catalog.pg_roles as roles on roles.oid = statements.userid
where roles.rolname = $1
