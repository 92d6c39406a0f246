-- Returns how many jobs each of the DAGs $1 has, and how many of them are finished and failed. No row for a DAG without
-- jobs.
-- Index: one of job that leads with dag_id. Without it every job is read.
select
    m.dag_id as id,
    count(*) as jobs,
    count(*) filter (
        where m.state::text in ('completed', 'skipped', 'failed', 'expired', 'cancelled')
    ) as finished,
    count(*) filter (where m.state in ('failed', 'expired')) as failed
from marie_scheduler.job as m
where m.dag_id = any ($1::uuid[])
group by m.dag_id
