-- Inserts the DAGs number $1 to $2 with ten unfinished jobs each: each job waits for the previous job. The first job is
-- ready; in every tenth DAG it is deferred by a day, and in every hundredth it has failed, so that the DAG is stalled.
with number as (
    select n as dag, (array['extract', 'classify', 'transform', 'load', 'gen5_extract'])[1 + n % 5] as queue
    from generate_series($1::bigint, $2::bigint) as n
),
dag_row as (
    insert into dag (id, name, state, planner, serialized_dag, created_on, updated_on, started_on)
    select
        md5('dag' || dag)::uuid, dag || '_dag', 'active', 'planner-' || dag % 4, '{}',
        now() - interval '3 hours', now() - interval '3 hours', now() - interval '3 hours'
    from number
)
insert into job (
    id, name, priority, data, state, retry_count, start_after, started_on, created_on, completed_on, expire_in,
    dependencies, dag_id, job_level, soft_sla, hard_sla
)
select
    md5('job' || dag || '.' || k)::uuid, queue, 0,
    jsonb_build_object('metadata', jsonb_build_object('on', 'executor://' || queue), 'text', repeat(md5(dag::text), 17)),
    (case when is_failed then 'failed' else 'created' end)::job_state,
    0,
    case when k = 1 and dag % 10 = 1 then now() + interval '1 day' else now() - interval '5 minutes' end,
    case when is_failed then now() - interval '2 hours' end,
    now() - interval '3 hours',
    case when is_failed then now() - interval '1 hour' end,
    interval '0', '[]', md5('dag' || dag)::uuid, 10 - k, now() - interval '3 hours', now() + interval '1 hour'
from number
cross join generate_series(1, 10) as k
cross join lateral (select k = 1 and dag % 100 = 0 as is_failed) as f
