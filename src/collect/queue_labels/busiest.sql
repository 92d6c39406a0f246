-- Returns the queues by their number of unfinished jobs, busiest first. If more queues exist than the limit, the busiest
-- ones keep series of their own. Beyond 100,000 unfinished jobs the order is that of the first 100,000 found, so that the
-- cost is bounded.
-- $1: pattern of text that can be sent to the exporter; NULL if all text can. $2: most names.
-- Index: any that begins with state. Without it the whole table can be read.
select name::text as queue, jobs
from (
    select name, count(*) as jobs
    from (
        select name
        from marie_scheduler.job
        where state in ('created', 'retry', 'active')
            and name is not null
        limit 100000
    ) as first_found
    group by name
) as unfinished
where octet_length(name) <= 400 and char_length(name) <= 200 and (name collate "C" ~ $1::text) is not false
order by jobs desc, name collate "C"
limit $2
