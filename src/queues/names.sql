-- Every queue that holds a job, where no index leads with name: reads the whole job table once.
select distinct name::text as queue
from job
where name is not null
