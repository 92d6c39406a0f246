-- Returns the active jobs whose latest attempt has run longer than their queue's threshold, those that marie_jobs_stuck
-- counts, longest first.
-- $1 limit, $2 offset, $3 queue, NULL for all, $4 queues with their own threshold, $5 their thresholds in seconds, $6
-- the threshold of all other queues.
-- Index: one that leads with state. Without it every job is read.
select
    id,
    name as queue,
    dag_id,
    started_on,
    case
        when started_on between '1970-01-01' and '3000-01-01' then extract(epoch from now() - started_on)
    end as active_for,
    coalesce(own.seconds, $6::float8) as threshold,
    retry_count,
    run_owner
from marie_scheduler.job
left join unnest($4::text[], $5::float8[]) as own (queue, seconds) on own.queue = name
where state = 'active'
    and started_on < now() - make_interval(secs => coalesce(own.seconds, $6::float8))
    and ($3::text is null or name = $3)
order by started_on, id
limit $1 offset $2
