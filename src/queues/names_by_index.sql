-- Every queue that holds a job, by hopping from name to name along an index that leads with name.
-- Costs one index probe for each queue (and each partition), however many jobs there are. Not with min(): of
-- a table with hundreds of partitions that takes PostgreSQL half as long again to plan.
with recursive hop (queue) as (
    (select name from marie_scheduler.job order by name limit 1)
    union all
    select (select j.name from marie_scheduler.job as j where j.name > h.queue order by j.name limit 1)
    from hop as h
    where h.queue is not null
)
select queue::text as queue
from hop
where queue is not null
