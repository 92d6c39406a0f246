-- Locks the jobs of the DAGs $1 and the single jobs $2 that no other session has locked. Returns all of them with whether
-- this transaction has locked them. $3 whether single jobs may be in a DAG. Waits for no lock, so it cannot cause a deadlock
-- with the scheduler. Indexes: one on (dag_id), and the one on id that every shape has.
with locked as materialized (
    select id, name
    from marie_scheduler.job
    where dag_id = any ($1) or id = any ($2) and ($3 or dag_id is null)
    for update skip locked
)
select j.id, j.name as queue, j.dag_id, l.id is not null as is_locked
from marie_scheduler.job as j
left join locked as l on l.id = j.id and l.name is not distinct from j.name
where j.dag_id = any ($1) or j.id = any ($2) and ($3 or j.dag_id is null)
