-- Every queue of the table queue, but for the `$…_dlq` twins that hold no job.
-- The scalar subquery cannot be turned into a hash of the whole job table: one probe for each twin, served
-- by any index of job that leads with name.
select q.name::text as queue
from queue as q
where q.name not like '$%\_dlq'
    or (select true from job as j where j.name = q.name limit 1)
