-- Returns a DAG's progress as the maintenance page calculates it: completed includes skipped. Expired and cancelled
-- jobs, and those in an unknown state, are `other`. States are compared as text, because not every enum has skipped.
-- $1 the DAG's id. Index: one of job that leads with dag_id. Without it every job is read.
select
    count(*) as total_jobs,
    count(*) filter (where state::text in ('completed', 'skipped')) as completed,
    count(*) filter (where state in ('created', 'retry')) as waiting,
    count(*) filter (where state = 'active') as active,
    count(*) filter (where state = 'failed') as failed,
    count(*) filter (
        where (state::text in ('created', 'retry', 'active', 'completed', 'skipped', 'failed')) is not true
    ) as other,
    round(
        100.0 * count(*) filter (where state::text in ('completed', 'skipped', 'failed', 'cancelled', 'expired'))
            / nullif(count(*), 0),
        1
    ) as progress_pct
from marie_scheduler.job
where dag_id = $1
