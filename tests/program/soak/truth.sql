-- Creations of each queue, and entries into a finished state: finishes that do not follow another one, from the plain
-- rows of the history.
select
    name as queue,
    count(distinct (id, created_on)) filter (where state = 'created' and created_on = history_created_on) as created,
    count(distinct (id, completed_on)) filter (
        where state not in ('created', 'retry', 'active')
            and completed_on = history_created_on
            and before in ('created', 'retry', 'active')
    ) as finished
from (
    select *, lag(state) over (partition by id order by history_id) as before
    from marie_scheduler.job_history
) as history
group by name
