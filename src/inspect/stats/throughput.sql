-- Returns the jobs completed in each of the last 24 hours, as on the maintenance page, with a row for an hour without
-- jobs. Hours are those of the session's time zone, earliest first. $1 limit, $2 offset, $3 queue, NULL for all.
-- Index: one that leads with completed_on, then only jobs of the last day are read. Without it every job is read.
select
    hour,
    count(c.completed_on) as completed,
    count(c.completed_on) as bar
from generate_series(
    date_trunc('hour', now() - interval '24 hours'), date_trunc('hour', now()), interval '1 hour'
) as hours (hour)
left join (
    select date_trunc('hour', completed_on) as hour, completed_on
    from marie_scheduler.job
    where state = 'completed'
        and completed_on > now() - interval '24 hours'
        and completed_on < date_trunc('hour', now()) + interval '1 hour'
        and ($3::text is null or name = $3)
) as c using (hour)
group by hour
order by hour
limit $1 offset $2
