-- All unfinished DAGs. Index: the partial ones of dag over unfinished DAGs. Without them every DAG is read.
open_dag as materialized (
    select d.id
    from marie_scheduler.dag as d
    where d.state not in ('completed', 'failed', 'cancelled') and d.state <> 'expired'
)
