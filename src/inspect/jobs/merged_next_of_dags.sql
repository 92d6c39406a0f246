-- Merges the ready jobs of two groups of queues: the first job of each DAG, in the order of next.sql. A job without a
-- DAG stands alone. `part` has the rows of both groups; $3 is the limit.
select line
from (
    select distinct on (coalesce(dag_id, id)) line, priority, created_on, id
    from part
    order by coalesce(dag_id, id), priority desc, created_on, id
) as first
order by priority desc, created_on, id
limit $3
