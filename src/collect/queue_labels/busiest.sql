-- Returns the queues by their number of unfinished jobs, busiest first. If more queues exist than the limit, the busiest
-- ones keep series of their own.
-- $1: pattern of text that can be sent to the exporter; NULL if all text can. $2: most names.
-- Index: any that begins with state. Without it the whole table is read.
select name::text as queue, jobs
from (
    select name, count(*) as jobs
    from marie_scheduler.job
    where state in ('created', 'retry', 'active')
        and name is not null
    group by name
) as unfinished
where octet_length(name) <= 400 and char_length(name) <= 200 and (name collate "C" ~ $1::text) is not false
order by jobs desc, name collate "C"
limit $2
