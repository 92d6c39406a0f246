-- Between which instants a job's history was written, as far as its dates tell; NULL where they do not. A finished job
-- comes to its state at its end and an active one at its start; what is recorded later only refreshes. Clients write
-- created_on, also ahead of the time, and a reset sets it anew, so the earliest of all dates counts. The history's ids
-- and times are both given out before the commit, so they are in step but for the length of a transaction: ten minutes
-- are allowed for. $1 the job's id. Index: the one on id that every shape has.
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
