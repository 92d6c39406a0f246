-- Every queue that holds a job, where no index leads with name: reads the whole job table once.
select distinct name::text as queue
from marie_scheduler.job
where name is not null
