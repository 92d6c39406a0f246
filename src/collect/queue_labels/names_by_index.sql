-- The queues that hold a job, by hopping from name to name along an index that leads with name. Names that can be a
-- label, by name, and a row of NULL where there are others. $1 the pattern of text that can be sent, NULL where all can;
-- $2 the most names.
-- Costs one index probe for each queue (and each partition), however many jobs there are. Not with min(): of
-- a table with hundreds of partitions that takes PostgreSQL half as long again to plan.
with recursive hop (queue) as (
    (select name from marie_scheduler.job order by name limit 1)
    union all
    select (select j.name from marie_scheduler.job as j where j.name > h.queue order by j.name limit 1)
    from hop as h
    where h.queue is not null
)
(
    select queue::text as queue
    from hop
    where octet_length(queue) <= 400 and char_length(queue) <= 200 and (queue collate "C" ~ $1::text) is not false
    order by queue collate "C"
    limit $2
)
union all
(
    select null
    from hop
    where octet_length(queue) > 400 or char_length(queue) > 200 or queue collate "C" !~ $1::text
    limit 1
)
