-- Inserts the last five jobs of the active DAGs number $1 to $2. The first of them is active in every second DAG (in
-- some for longer than an hour) and ready in the others. Each other job waits for the previous job.
insert into job (
    id, name, priority, data, state, retry_count, start_after, started_on, created_on, expire_in, dependencies,
    dag_id, job_level, soft_sla, hard_sla
)
select
    md5('job' || dag || '.' || k)::uuid, queue, 0,
    jsonb_build_object('metadata', jsonb_build_object('on', 'executor://' || queue), 'text', repeat(md5(dag::text), 17)),
    (case when k > 6 then 'created' when dag % 2 = 0 then 'active' when dag % 5 = 0 then 'retry' else 'created' end)::job_state,
    0, now() - interval '5 minutes',
    case when k = 6 and dag % 2 = 0 then now() - interval '1 minute' * (dag % 90) end,
    now() - interval '3 hours', interval '0', '[]',
    md5('dag' || dag)::uuid, 10 - k, now() - interval '3 hours', now() + interval '1 hour'
from generate_series($1::bigint, $2::bigint) as dag
cross join generate_series(6, 10) as k
cross join lateral (
    select (array['extract', 'classify', 'transform', 'load', 'gen5_extract'])[1 + dag % 5] as queue
) as q
