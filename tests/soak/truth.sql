-- Creations and finishes of each queue, from the plain rows of the history.
select
    name as queue,
    count(distinct (id, created_on)) filter (where state = 'created' and created_on = history_created_on) as created,
    count(distinct (id, completed_on)) filter (
        where state not in ('created', 'retry', 'active') and completed_on = history_created_on
    ) as finished
from marie_scheduler.job_history
group by name
