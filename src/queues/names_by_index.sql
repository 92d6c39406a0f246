-- Every queue that holds a job, by hopping from name to name along an index that leads with name.
-- Costs one index probe for each queue (and each partition), however many jobs there are.
with recursive hop (queue) as (
    select min(name) from job
    union all
    select (select min(j.name) from job as j where j.name > h.queue)
    from hop as h
    where h.queue is not null
)
select queue::text as queue
from hop
where queue is not null
