-- Returns the queues that have a job, for tables without an index that begins with name. Reads the whole table once.
-- queue: names that can be a label, by name. One row has NULL if names exist that cannot be a label.
-- $1: pattern of text that can be sent to the exporter; NULL if all text can. $2: most names.
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
