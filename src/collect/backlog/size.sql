-- How many unfinished jobs and unfinished DAGs there are, counted up to $1.
-- Indexes: one of job that leads with state, and the partial ones of dag over unfinished DAGs.
select
    (
        select count(*)
        from (select from marie_scheduler.job where state in ('created', 'retry', 'active') limit $1) as unfinished
    ) as jobs,
    (
        select count(*)
        from (
            select
            from marie_scheduler.dag
            where state not in ('completed', 'failed', 'cancelled') and state <> 'expired'
            limit $1
        ) as open
    ) as dags
