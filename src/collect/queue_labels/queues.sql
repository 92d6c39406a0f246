-- The queues of the table queue but the `$NAME_dlq` twins; those that hold a job are found in job. Names that can be a
-- label, by name, and a row of NULL where there are others. $1 the pattern of text that can be sent, NULL where all can;
-- $2 the most names.
-- Costs two passes over that table, which has a row for each queue.
(
    select name::text as queue
    from marie_scheduler.queue
    where name not like '$%\_dlq' and octet_length(name) <= 400 and char_length(name) <= 200 and (name collate "C" ~ $1::text) is not false
    order by name collate "C"
    limit $2
)
union all
(
    select null
    from marie_scheduler.queue
    where name not like '$%\_dlq' and (octet_length(name) > 400 or char_length(name) > 200 or name collate "C" !~ $1::text)
    limit 1
)
