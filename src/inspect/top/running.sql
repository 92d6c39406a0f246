-- Returns the active jobs that are not stuck, longest first.
-- $1 limit, $2 offset, $3 queues with their own threshold, $4 their thresholds in seconds, $5 that of all other queues.
-- Index: one that leads with state. Without it every job is read.
select
    id,
    name as queue,
    case
        when started_on between '1970-01-01' and '3000-01-01' then extract(epoch from now() - started_on)
    end as active_for,
    retry_count,
    dag_id,
    started_on
from marie_scheduler.job
left join unnest($3::text[], $4::float8[]) as own (queue, seconds) on own.queue = name
where state = 'active'
    and (started_on < now() - make_interval(secs => coalesce(own.seconds, $5::float8))) is not true
order by started_on, id
limit $1 offset $2
