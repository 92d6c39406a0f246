-- Those of the DAGs $1 that have jobs, and whether one of these failed. Index: one of job that leads with dag_id.
select j.dag_id, bool_or(j.state = 'failed') as has_failed
from marie_scheduler.job as j
where j.dag_id = any ($1::uuid[])
group by j.dag_id
