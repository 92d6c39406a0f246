-- The DAGs that an unfinished job of the scope moves: one that is active, or that waits for nothing but its start_after.
-- $1 the queues whose jobs count; the jobs of other queues are read as parents only.
select dag_id
from judged
where is_job and reason is null and dag_id is not null and name = any ($1::text[])
group by dag_id
