-- Returns the queues of the table queue, without the dead-letter queues `$NAME_dlq`. Dead-letter queues that have a job
-- are found in job.
-- queue: names that can be a label, by name. One row has NULL if names exist that cannot be a label.
-- $1: pattern of text that can be sent to the exporter; NULL if all text can. $2: most names.
-- Costs two passes over the table, which has a row for each queue.
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
