-- As next_jobs.sql, only for the unfinished jobs that next_waiting.sql leaves out: active ones, and those without a start or
-- a DAG. $3 is not used.
-- Indexes: one of job that leads with state, and one that leads with dag_id.
with other as materialized (
    select id, dag_id
    from marie_scheduler.job
    where state = 'active'
    union all
    select id, dag_id
    from marie_scheduler.job
    where state in ('created', 'retry') and start_after is null
    union all
    select id, dag_id
    from marie_scheduler.job
    where state in ('created', 'retry') and start_after is not null and dag_id is null
),
candidate as materialized (
    select id, dag_id
    from other
    where id >= $1::uuid
    order by id
    fetch first $2 rows with ties
)
select
    last.id,
    array(
        select c.id
        from candidate as c
        where $3
            or (
                select d.state not in ('completed', 'failed', 'cancelled') and d.state <> 'expired'
                from marie_scheduler.dag as d
                where d.id = c.dag_id
            ) is not true
    ) as ids
from (select id from candidate order by id desc limit 1) as last
