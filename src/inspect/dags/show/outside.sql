-- Jobs that a DAG's jobs wait for and that are not of that DAG: their state, none where they have no row.
-- $1 their ids. Index: the one on id that every shape has.
select wanted.id, p.queue, p.state
from unnest($1::uuid[]) as wanted (id)
left join lateral (
    select name as queue, state
    from marie_scheduler.job
    where id = wanted.id
    limit 1
) as p on true
