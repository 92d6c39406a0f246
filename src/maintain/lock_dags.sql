-- Locks those of the DAGs $1 that no other session has locked, and returns their ids. Until the transaction ends no job can
-- be added to them. Also returns the ids whose row does not exist, because no session can lock those.
-- Index: the primary key.
with locked as materialized (
    select id from marie_scheduler.dag where id = any ($1) order by id for update skip locked
)
select id from locked
union all
select u.id
from unnest($1) as u (id)
where not exists (select from marie_scheduler.dag as d where d.id = u.id)
