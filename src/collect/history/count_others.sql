-- How many finished jobs are in other states than completed, where these are the states after completed; $1 at most.
-- Index: one that leads with state, of which $1 entries are read.
select count(*) as jobs
from (
    select
    from marie_scheduler.job
    where state > 'completed'
    limit $1
) as others
