-- The unfinished jobs with the ids $10: all of them if $11, otherwise those that belong to no unfinished DAG.
-- Indexes: one of job that leads with id, and the primary key of dag.
unfinished as materialized (
    select
        j.name, j.id, j.dag_id, j.state, j.created_on, j.started_on, j.start_after, j.retry_count, j.retry_limit,
        j.soft_sla, j.hard_sla, j.lease_expires_at, j.run_lease_expires_at
    from marie_scheduler.job as j
    where j.id = any ($10::uuid[]) and j.state in ('created', 'retry', 'active')
        and (
            $11
            or (
                select d.state not in ('completed', 'failed', 'cancelled') and d.state <> 'expired'
                from marie_scheduler.dag as d
                where d.id = j.dag_id
            ) is not true
        )
)
