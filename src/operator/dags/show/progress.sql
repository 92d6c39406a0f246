-- A DAG's progress as the maintenance page reckons it: completed includes skipped, finished is whatever can no more
-- move. $1 the DAG's id. Index: one of job that leads with dag_id. Without it every job is read.
select
    count(*) as total_jobs,
    count(*) filter (
        where state not in ('created', 'retry', 'active', 'expired', 'cancelled', 'failed')
    ) as completed,
    count(*) filter (where state = 'active') as active,
    count(*) filter (where state = 'failed') as failed,
    round(
        100.0 * count(*) filter (where state not in ('created', 'retry', 'active')) / nullif(count(*), 0), 1
    ) as progress_pct
from job
where dag_id = $1
