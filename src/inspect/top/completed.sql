-- Returns the jobs completed in the last 24 hours, by queue and by whole hours ago.
-- Index: one that leads with completed_on, then only jobs of the last day are read. Without it every job is read.
select
    name as queue,
    floor(extract(epoch from now() - completed_on) / 3600)::int as hours_ago,
    count(*) as jobs
from marie_scheduler.job
where state = 'completed'
    and completed_on > now() - interval '24 hours'
    and completed_on <= now()
    and name is not null
group by name, hours_ago
