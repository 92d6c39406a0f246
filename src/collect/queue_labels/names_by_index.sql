-- Returns the queues that have a job, by steps from name to name along an index that begins with name.
-- queue: names that can be a label, by name. One row has NULL if names exist that cannot be a label.
-- $1: pattern of text that can be sent to the exporter; NULL if all text can. $2: most names.
-- Costs one index probe for each queue and partition, regardless of the number of jobs. Uses no min(), because planning
-- it over hundreds of partitions takes PostgreSQL half as long again.
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
