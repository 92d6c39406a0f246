-- Inserts a completed and a failed job of each queue into job_history, as the trigger does.
insert into job_history (
    id, name, priority, state, retry_limit, retry_count, retry_delay, retry_backoff, start_after, started_on, expire_in,
    created_on, completed_on, keep_until, dag_id, job_level, soft_sla, hard_sla, sla_miss_logged
)
select
    gen_random_uuid(), q.name, 0, f.state::job_state, 2, 0, 0, false, now() - interval '5 minutes',
    now() - interval '1 minute', interval '0', now() - interval '5 minutes', now(), now() + interval '1 day',
    md5(q.name)::uuid, 0, now(), now() + interval '4 hours', false
from queue as q
cross join unnest(array['completed', 'failed']) as f (state)
where q.name not like '$%'
