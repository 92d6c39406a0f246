-- A DAG's progress as the maintenance page reckons it: completed includes skipped. States are compared as text, for
-- skipped is not in every enum. $1 the DAG's id. Index: one of job that leads with dag_id. Without it every job is read.
select
    count(*) as total_jobs,
    count(*) filter (where state::text in ('completed', 'skipped')) as completed,
    count(*) filter (where state = 'active') as active,
    count(*) filter (where state = 'failed') as failed,
    round(
        100.0 * count(*) filter (where state::text in ('completed', 'skipped', 'failed', 'cancelled', 'expired'))
            / nullif(count(*), 0),
        1
    ) as progress_pct
from marie_scheduler.job
where dag_id = $1
