-- Scope: all unfinished DAGs and all unfinished jobs.
-- Indexes: the partial ones of dag over unfinished DAGs, and one of job that leads with state. Without them every row is
-- read.
open_dag as materialized (
    select d.id
    from marie_scheduler.dag as d
    where d.state not in ('completed', 'failed', 'cancelled') and d.state <> 'expired'
),
unfinished as materialized (
    select
        j.name, j.id, j.dag_id, j.state, j.created_on, j.started_on, j.start_after, j.retry_count, j.retry_limit,
        j.soft_sla, j.hard_sla
    from marie_scheduler.job as j
    where j.state in ('created', 'retry', 'active')
)
