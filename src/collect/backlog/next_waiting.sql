-- Of the next $3 waiting jobs behind the start $1 and the DAG $2, in this order, the last start and DAG, and the ids of
-- those that belong to no unfinished DAG. No row if there is no such job. Jobs without a start or a DAG are left out.
-- Index: the partial one of job on (state, start_after, dag_id) that includes the id, read without the table where it is
-- well vacuumed. The subquery of IN is hashed: the planner expects few rows, however many there are.
with candidate as materialized (
    select id, start_after, dag_id
    from (
        (
            select id, start_after, dag_id
            from marie_scheduler.job
            where state = 'created' and (start_after, dag_id) > ($1::text::timestamptz, $2::uuid)
            order by start_after, dag_id
            fetch first $3 rows with ties
        )
        union all
        (
            select id, start_after, dag_id
            from marie_scheduler.job
            where state = 'retry' and (start_after, dag_id) > ($1::text::timestamptz, $2::uuid)
            order by start_after, dag_id
            fetch first $3 rows with ties
        )
    ) as waiting
    order by start_after, dag_id
    fetch first $3 rows with ties
),
open_dag as materialized (
    select d.id
    from marie_scheduler.dag as d
    where d.id = any (array(select distinct c.dag_id from candidate as c))
        and d.state not in ('completed', 'failed', 'cancelled') and d.state <> 'expired'
)
select
    last.start_after::text as start_after,
    last.dag_id,
    array(select c.id from candidate as c where case when c.dag_id in (select id from open_dag) then false else true end)
        as ids
from (select start_after, dag_id from candidate order by start_after desc, dag_id desc limit 1) as last
