-- The last of $2 unfinished DAGs with ids from $1 on; no row if there are fewer.
-- Index: the partial ones of dag over unfinished DAGs.
select id
from marie_scheduler.dag
where state not in ('completed', 'failed', 'cancelled') and state <> 'expired' and id >= $1::uuid
order by id
offset $2 - 1
limit 1
