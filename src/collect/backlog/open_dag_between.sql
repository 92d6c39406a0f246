-- The unfinished DAGs with ids from $10 to $11. Index: the partial ones of dag over unfinished DAGs.
open_dag as materialized (
    select d.id
    from marie_scheduler.dag as d
    where d.state not in ('completed', 'failed', 'cancelled') and d.state <> 'expired'
        and d.id >= $10::uuid and d.id <= $11::uuid
)
