-- Completes reserved control-flow nodes, which need no worker, without starting them. The first node of a DAG opens it.
-- Returns the DAG of a last node, because it may be complete.

with passed as (
    update job
    set state = 'completed', completed_on = now(), lease_owner = null, lease_expires_at = null
    where state in ('created', 'retry')
        and lease_owner is not null
        and data -> 'metadata' ->> 'on' = 'noop'
    returning dag_id, job_level
),

opened as (
    update dag
    set state = 'active', started_on = now()
    from passed
    where dag.id = passed.dag_id and job_level > 0 and state = 'created'
)

select dag_id from passed where job_level = 0
