-- Returns the period in which a job's history was written, as far as its dates show it; NULL for a side that they do
-- not. A finished job reaches its state when it completes, an active one when it starts; later rows of the history only
-- refresh it. Clients write created_on, which can be in the future, and a reset changes it, so the earliest date is
-- taken. Ids and times of the history are given out before the commit, so their order differs by the length of a
-- transaction at most: ten minutes are added.
-- $1 the job's id. Index: the one on id, which every shape has.
select
    case
        when created_on between '1970-01-01' and '3000-01-01'
        then least(created_on, started, completed, now()) - interval '10 minutes'
    end as since,
    case
        when state = 'active' then started + interval '10 minutes'
        when state not in ('created', 'retry') then completed + interval '10 minutes'
    end as until
from (
    select
        state,
        created_on,
        case when started_on between '1970-01-01' and '3000-01-01' then started_on end as started,
        case when completed_on between '1970-01-01' and '3000-01-01' then completed_on end as completed
    from marie_scheduler.job
    where id = $1
    limit 1
) as sought
