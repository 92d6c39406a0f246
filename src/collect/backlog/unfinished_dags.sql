-- The unfinished DAGs, $1 at most. Index: the partial ones over unfinished DAGs. Without them every DAG is read.
select id
from marie_scheduler.dag
where state not in ('completed', 'failed', 'cancelled') and state <> 'expired'
limit $1
