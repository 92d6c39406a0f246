-- Returns the jobs that failed or expired and are not retried, latest first.
-- $1 limit, $2 offset, $3 queue, NULL for all, $4 failed within so many seconds, NULL for all.
-- Index: one that leads with state, then the failed and expired jobs are read. Without it every job is read.
select
    id,
    name as queue,
    state,
    dag_id,
    retry_count,
    retry_limit,
    started_on,
    completed_on,
    case
        when started_on between '1970-01-01' and '3000-01-01' and completed_on between '1970-01-01' and '3000-01-01'
        then extract(epoch from completed_on - started_on)
    end as last_attempt
from marie_scheduler.job
where state in ('failed', 'expired')
    and ($3::text is null or name = $3)
    and ($4::float8 is null or completed_on > now() - make_interval(secs => $4))
order by completed_on desc nulls last, id
limit $1 offset $2
