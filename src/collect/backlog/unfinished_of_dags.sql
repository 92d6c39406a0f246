-- The unfinished jobs of the DAGs open_dag. Index: one of job that leads with dag_id.
unfinished as materialized (
    select
        j.name, j.id, j.dag_id, j.state, j.created_on, j.started_on, j.start_after, j.retry_count, j.retry_limit,
        j.soft_sla, j.hard_sla, j.lease_expires_at, j.run_lease_expires_at
    from marie_scheduler.job as j
    where j.dag_id = any (array(select id from open_dag)) and j.state in ('created', 'retry', 'active')
)
