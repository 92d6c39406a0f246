-- Scope: the unfinished DAGs with ids from $10 to $11, and their unfinished jobs.
-- Indexes: the partial ones of dag over unfinished DAGs, and one of job that leads with dag_id.
open_dag as materialized (
    select d.id
    from marie_scheduler.dag as d
    where d.state not in ('completed', 'failed', 'cancelled') and d.state <> 'expired'
        and d.id >= $10::uuid and d.id <= $11::uuid
),
unfinished as materialized (
    select
        j.name, j.id, j.dag_id, j.state, j.created_on, j.started_on, j.start_after, j.retry_count, j.retry_limit,
        j.soft_sla, j.hard_sla
    from marie_scheduler.job as j
    where j.dag_id = any (array(select id from open_dag)) and j.state in ('created', 'retry', 'active')
)
