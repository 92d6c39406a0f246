-- Those of the DAGs $1 that can be had for this transaction: nobody holds them, and until it ends no job can be added to
-- them. Those whose row is gone cannot be held by anybody.
-- Index: the primary key.
with locked as materialized (
    select id from marie_scheduler.dag where id = any ($1) order by id for update skip locked
)
select id from locked
union all
select u.id
from unnest($1) as u (id)
where not exists (select from marie_scheduler.dag as d where d.id = u.id)
