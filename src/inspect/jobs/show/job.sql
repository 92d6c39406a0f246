-- Returns a job's fields that every shape has. $1 its id. Index: the one on id, which every shape has.
select
    id,
    name as queue,
    state,
    dag_id,
    priority,
    retry_count,
    retry_limit,
    created_on,
    started_on,
    completed_on,
    case
        when started_on between '1970-01-01' and '3000-01-01'
            and coalesce(completed_on, now()) between '1970-01-01' and '3000-01-01'
        then extract(epoch from coalesce(completed_on, now()) - started_on)
    end as last_attempt,
    soft_sla,
    hard_sla
from marie_scheduler.job
where id = $1
limit 1
