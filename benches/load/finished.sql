-- Inserts the DAGs number $1 to $2 in state $4 with the first $3 of their ten jobs, all finished. Every 50th job failed
-- (except in active DAGs), every 20th was retried. Payloads have 600 bytes; the DAGs alternate between five queues.
with number as (
    select n as dag, (array['extract', 'classify', 'transform', 'load', 'gen5_extract'])[1 + n % 5] as queue
    from generate_series($1::bigint, $2::bigint) as n
),
dag_row as (
    insert into dag (id, name, state, planner, serialized_dag, created_on, updated_on, started_on, completed_on)
    select
        md5('dag' || dag)::uuid, dag || '_dag', $4::text, 'planner-' || dag % 4, '{}',
        at.created, at.created, at.created,
        case when $4::text = 'completed' then at.created + interval '1 minute' end
    from number
    cross join lateral (select now() - interval '40 days' * (1 - (dag - $1)::float8 / ($2 - $1 + 1)) as created) as at
)
insert into job (
    id, name, priority, data, state, retry_count, start_after, started_on, created_on, completed_on, expire_in,
    dependencies, dag_id, job_level, soft_sla, hard_sla
)
select
    md5('job' || dag || '.' || k)::uuid, queue, 0,
    jsonb_build_object('metadata', jsonb_build_object('on', 'executor://' || queue), 'text', repeat(md5(dag::text), 17)),
    (case when $4::text = 'completed' and (dag * 10 + k) % 50 = 0 then 'failed' else 'completed' end)::job_state,
    case when (dag * 10 + k) % 20 = 0 then 1 + dag % 2 else 0 end,
    created, created + interval '3 seconds', created, created + interval '9 seconds', interval '0',
    '[]', md5('dag' || dag)::uuid, 10 - k, created, created + interval '4 hours'
from number
cross join generate_series(1, $3::bigint) as k
cross join lateral (select now() - interval '40 days' * (1 - (dag - $1)::float8 / ($2 - $1 + 1)) as created) as at
order by dag, k
