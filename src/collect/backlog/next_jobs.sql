-- Of the next $2 unfinished jobs with ids from $1 on, the last id, and the ids of all if $3, otherwise of those that
-- belong to no unfinished DAG. No row if there is no such job.
-- Index: one of job that leads with id, best a partial one without finished jobs; without that the history is read. The
-- scalar subquery looks each DAG up by its primary key: an anti join could become a loop over all pairs.
with candidate as materialized (
    select id, dag_id
    from marie_scheduler.job
    where state in ('created', 'retry', 'active') and id >= $1::uuid
    order by id
    -- Jobs of different queues can have the same id.
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
