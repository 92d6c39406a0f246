-- Of the ready jobs of two groups of queues the first of each DAG, in the order of next.sql. $3 how many; part has the
-- rows of both groups. A job without a DAG is alone.
select line
from (
    select distinct on (coalesce(dag_id, id)) line, priority, created_on, id
    from part
    order by coalesce(dag_id, id), priority desc, created_on, id
) as first
order by priority desc, created_on, id
limit $3
