-- Queues by their number of unfinished jobs, busiest first: those that keep their own series when there are
-- more queues than the limit. Index: any that leads with state.
select name::text as queue
from marie_scheduler.job
where state in ('created', 'retry', 'active')
    and name is not null
group by name
order by count(*) desc, name
