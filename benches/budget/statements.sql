-- Returns the statements of the role $1 since the statistics were reset: the seconds of planning and executing in all,
-- and those of the longest planning and the longest execution together.
select
    statements.query as statement,
    sum(statements.total_plan_time + statements.total_exec_time) / 1000 as seconds,
    max(statements.max_plan_time + statements.max_exec_time) / 1000 as longest
from public.pg_stat_statements as statements
join pg_catalog.pg_roles as roles on roles.oid = statements.userid
where roles.rolname = $1
group by statements.query
order by longest desc
