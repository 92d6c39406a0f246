-- Returns the number of jobs by queue and state, with their earliest and latest completion. Reads every job.
select
    coalesce(name, '') as queue,
    state::text as state,
    count(*) as jobs,
    to_char(min(completed_on) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') as oldest,
    to_char(max(completed_on) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') as newest
from marie_scheduler.job
group by 1, 2
