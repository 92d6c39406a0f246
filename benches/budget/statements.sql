-- Returns the statements of the role $1 since the statistics were reset, with their seconds of planning and executing.
select
    statements.query as statement,
    sum(statements.total_plan_time + statements.total_exec_time) / 1000 as seconds
from public.pg_stat_statements as statements
join pg_catalog.pg_roles as roles on roles.oid = statements.userid
where roles.rolname = $1
group by statements.query
