-- Queues by their number of unfinished jobs, busiest first: those that keep their own series when there are
-- more queues than the limit. $1 the pattern of text that can be sent, NULL where all can; $2 the most names.
-- Index: any that leads with state.
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
