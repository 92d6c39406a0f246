-- Inserts $1 rows into job_history in one transaction, as the refresh each minute does; every $2th row is a finish.
-- Payloads have 600 bytes.
insert into job_history (
    id, name, priority, data, state, retry_limit, retry_count, retry_delay, retry_backoff, start_after, started_on,
    expire_in, created_on, completed_on, keep_until, dag_id, job_level, soft_sla, hard_sla, sla_miss_logged
)
select
    gen_random_uuid(), (array['extract', 'classify', 'transform', 'load', 'gen5_extract'])[1 + n % 5], 0,
    jsonb_build_object('text', repeat(md5(n::text), 17)),
    (case when n % $2 = 0 then (case when n % 7 = 0 then 'failed' else 'completed' end) else 'active' end)::job_state,
    2, n % 3, 0, false, now() - interval '1 minute', now() - interval '1 second' * (n % 100), interval '0',
    now() - interval '5 minutes', case when n % $2 = 0 then now() end, now(), md5('dag')::uuid, 0, now(),
    now() + interval '4 hours', false
from generate_series(1, $1::int8) as n
