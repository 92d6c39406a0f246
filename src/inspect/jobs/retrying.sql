-- Returns the jobs that wait for their next attempt, soonest first.
-- $1 limit, $2 offset, $3 queue, NULL for all.
-- Index: one that leads with state. Without it every job is read.
select
    id,
    name as queue,
    dag_id,
    retry_count,
    retry_limit,
    started_on,
    start_after,
    case
        when start_after between '1970-01-01' and '3000-01-01' then extract(epoch from start_after - now())
    end as due_in
from marie_scheduler.job
where state = 'retry'
    and ($3::text is null or name = $3)
order by start_after, id
limit $1 offset $2
