-- The DAGs that have unfinished jobs in the queues $1, and whether one of these jobs is active or waits for no parent.
-- Indexes: one of job that leads with name or state for the unfinished jobs, then those of waiting_job.sql.
select dag_id, bool_or(moves) as moves
from (
    select j.dag_id, true as moves
    from marie_scheduler.job as j
    where j.state = 'active' and j.name = any ($1::text[]) and j.dag_id is not null
    union all
    -- A DAG that has finished since it was read moves no more and is not stalled either.
    select w.dag_id, (w.reason in ('parent_failed', 'dependency')) is not true
    from waiting_job as w
    where w.name = any ($1::text[]) and w.dag_id is not null
) as unfinished
group by dag_id
