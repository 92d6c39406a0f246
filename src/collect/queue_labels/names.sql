-- The queues that hold a job, where no index leads with name: reads the whole job table once. Names that can be a label,
-- by name, and a row of NULL where there are others. $1 the pattern of text that can be sent, NULL where all can;
-- $2 the most names.
with hop (queue) as (
    select distinct name
    from marie_scheduler.job
    where name is not null
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
