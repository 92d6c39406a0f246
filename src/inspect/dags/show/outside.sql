-- Returns the states of jobs outside of a DAG that its jobs wait for; NULL for a job without a row.
-- $1 their ids. Index: the one on id, which every shape has.
select wanted.id, p.queue, p.state
from unnest($1::uuid[]) as wanted (id)
left join lateral (
    select name as queue, state
    from marie_scheduler.job
    where id = wanted.id
    limit 1
) as p on true
