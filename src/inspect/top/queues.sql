-- Returns the unfinished jobs of each queue by state, and how many of the active ones are stuck.
-- $1 queues with their own threshold, $2 their thresholds in seconds, $3 the threshold of all other queues.
-- Index: one that leads with state. Without it every job is read.
select
    name as queue,
    count(*) filter (where state = 'created') as created,
    count(*) filter (where state = 'retry') as retry,
    count(*) filter (where state = 'active') as active,
    count(*) filter (
        where state = 'active'
            and started_on < now() - make_interval(secs => coalesce(own.seconds, $3::float8))
    ) as stuck
from marie_scheduler.job
left join unnest($1::text[], $2::float8[]) as own (queue, seconds) on own.queue = name
where state in ('created', 'retry', 'active')
    and name is not null
group by name
