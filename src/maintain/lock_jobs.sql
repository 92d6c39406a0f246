-- The jobs of the DAGs $1 and the single jobs $2, $3 whether those may be in a DAG; and which of them are held for this
-- transaction: those that no other session has locked. Waits for no lock, so that the scheduler is never part of a deadlock.
-- Indexes: on (dag_id), and the one on id that every shape has.
with held as materialized (
    select id, name
    from marie_scheduler.job
    where dag_id = any ($1) or id = any ($2) and ($3 or dag_id is null)
    for update skip locked
)
select j.id, j.name as queue, j.dag_id, h.id is not null as is_held
from marie_scheduler.job as j
left join held as h on h.id = j.id and h.name is not distinct from j.name
where j.dag_id = any ($1) or j.id = any ($2) and ($3 or j.dag_id is null)
