-- Five hours of a document pipeline in trouble: the data of the golden output. Its times are relative to now, the whole
-- second in which the transaction began; a golden file shows it as 2026-03-02 12:00:00Z. Because commands print ages in
-- hours and minutes, the output stays the same for 50 seconds after the database was filled.
-- DAG n has the id ...dn00 and the jobs ...dn01, ...dn02 and so on.
create function pg_temp.ago(interval) returns timestamptz
language sql
as $$ select date_trunc('second', now()) - $1 $$;

create function pg_temp.dag(n int) returns uuid
language sql
as $$ select format('01970000-0000-7000-8000-00000000d%s00', n)::uuid $$;

create function pg_temp.job(n int, m int) returns uuid
language sql
as $$ select format('01970000-0000-7000-8000-00000000d%s%s', n, to_char(m, 'FM00'))::uuid $$;

create function pg_temp.attempt(job uuid, retries int) returns uuid
language sql
as $$ select overlay(job::text placing format('a%s', retries) from 20 for 2)::uuid $$;

select create_queue('extract_dlq', '{"retry_limit": 0}');
select create_queue('ocr', '{"retry_limit": 2, "retry_delay": 30, "expire_seconds": 900}');
select create_queue('classify', '{"retry_limit": 1, "expire_seconds": 300}');
select create_queue(
    'extract',
    '{"retry_limit": 3, "retry_delay": 60, "retry_backoff": true, "expire_seconds": 3600, "dead_letter": "extract_dlq"}'
);
select create_queue('letters', '{}');

-- Rows of the history would all be of this moment; those that a command prints are below.
alter table job disable trigger record_job;
alter table dag disable trigger record_dag;

insert into dag (id, name, planner, state, created_on, started_on, completed_on, soft_sla, hard_sla)
select
    pg_temp.dag(n), name, planner, state, pg_temp.ago(created), pg_temp.ago(started), pg_temp.ago(completed),
    pg_temp.ago(soft), pg_temp.ago(hard)
from (
    values
        -- For the clean-ups: failed 40 days ago, completed 9 days ago, completed but with a job that can still run.
        (1, 'claims 2201', 'claims', 'failed', interval '41 days', interval '41 days', interval '40 days', null::interval, null::interval),
        (2, 'invoice 1001', 'invoices', 'completed', '9 days 1 hour', '9 days 1 hour', '9 days', null, null),
        (3, 'invoice 1002', 'invoices', 'completed', '8 days 1 hour', '8 days 1 hour', '8 days', null, null),
        -- Extraction is stuck: its worker hangs, and validation waits for it.
        (4, 'invoice 1041', 'invoices', 'active', '5 hours', '4 hours 50 minutes', null, '2 hours 40 minutes', '1 hour 40 minutes'),
        -- Failed: extraction has used up its retries.
        (5, 'contract 77', 'contracts', 'failed', '3 hours', '3 hours', '1 hour 10 minutes', null, null),
        -- In good health: one job waits for its next attempt, one is ready, one is deferred.
        (6, 'contract 78', 'contracts', 'active', '2 hours', '2 hours', null, null, '-6 hours')
) as d (n, name, planner, state, created, started, completed, soft, hard);

insert into job (
    id, name, dag_id, job_level, state, priority, retry_limit, retry_delay, retry_backoff, retry_count, expire_in,
    dead_letter, created_on, start_after, started_on, completed_on, soft_sla, hard_sla, dependencies, run_owner,
    run_attempt_id, run_lease_expires_at, data, output
)
select
    pg_temp.job(n, m), queue, pg_temp.dag(n), m - 1, j.state::job_state, n, coalesce(q.retry_limit, 2),
    coalesce(q.retry_delay, 0), coalesce(q.retry_backoff, false), retries,
    make_interval(secs => coalesce(q.expire_seconds, 900)), q.dead_letter, d.created_on,
    coalesce(pg_temp.ago(deferred), d.created_on), pg_temp.ago(started), pg_temp.ago(completed), d.soft_sla, d.hard_sla,
    case when parent is null then '[]' else jsonb_build_array(pg_temp.job(n, parent)) end,
    owner,
    case when owner is not null then pg_temp.attempt(pg_temp.job(n, m), retries) end,
    case when owner is not null and j.state = 'active' then pg_temp.ago(started - interval '10 minutes') end,
    jsonb_build_object('metadata', jsonb_build_object('doc_id', d.name)),
    output::jsonb
from (
    values
        (1, 1, 'ocr', 'completed', 0, null::interval, interval '40 days 2 hours', interval '40 days 1 hour', null::int, null::text, null::text),
        (1, 2, 'extract', 'failed', 3, null, '40 days 1 hour', '40 days', 1, null, '{"message": "unreadable page"}'),
        (1, 3, 'classify', 'cancelled', 0, null, null, '40 days', 2, null, null),
        (2, 1, 'ocr', 'completed', 0, null, '9 days 50 minutes', '9 days 40 minutes', null, null, null),
        (2, 2, 'extract', 'completed', 1, null, '9 days 30 minutes', '9 days', 1, null, null),
        (3, 1, 'ocr', 'completed', 0, null, '8 days 50 minutes', '8 days', null, null, null),
        (3, 2, 'extract', 'created', 0, null, null, null, 1, null, null),
        (4, 1, 'ocr', 'completed', 0, null, '4 hours 50 minutes', '4 hours 40 minutes', null, 'worker-2', null),
        (4, 2, 'classify', 'completed', 0, null, '4 hours 40 minutes', '4 hours 38 minutes', 1, 'worker-5', null),
        (4, 3, 'extract', 'active', 1, null, '3 hours 12 minutes', null, 2, 'worker-7', null),
        (4, 4, 'validate', 'created', 0, null, null, null, 3, null, null),
        (5, 1, 'ocr', 'completed', 0, null, '2 hours 55 minutes', '2 hours 50 minutes', null, 'worker-2', null),
        (5, 2, 'extract', 'failed', 3, null, '1 hour 15 minutes', '1 hour 10 minutes', 1, 'worker-5', '{"message": "the model returned no JSON"}'),
        (5, 3, 'validate', 'created', 0, null, null, null, 2, null, null),
        (6, 1, 'ocr', 'active', 0, null, '30 minutes', null, null, 'worker-2', null),
        (6, 2, 'classify', 'created', 0, null, null, null, null, null, null),
        (6, 3, 'extract', 'retry', 2, '-2 hours -30 minutes -50 seconds', '45 minutes', null, null, null, null),
        (6, 4, 'extract', 'created', 0, '-1 hours', null, null, null, null, null)
) as j (n, m, queue, state, retries, deferred, started, completed, parent, owner, output)
join dag as d on d.id = pg_temp.dag(n)
left join queue as q on q.name = queue;

-- Letters are one job each. They ended half an hour after the hour, so that their throughput by hour is always the same.
insert into dag (id, name, state, created_on, completed_on)
select
    md5('letter ' || n)::uuid, 'letter ' || n, 'completed',
    date_trunc('hour', now()) - interval '11 hours', date_trunc('hour', now()) - interval '30 minutes'
from generate_series(1, 36) as n;

insert into job (id, name, dag_id, state, created_on, started_on, completed_on)
select
    ('00000000-0000-7000-8000-' || right(dag.id::text, 12))::uuid, 'letters', dag.id, 'completed', dag.created_on,
    at - interval '1 minute', at
from generate_series(1, 8) as hour
cross join lateral generate_series(hour * (hour - 1) / 2 + 1, hour * (hour + 1) / 2) as n
join dag on dag.id = md5('letter ' || n)::uuid
cross join lateral (select date_trunc('hour', now()) - make_interval(hours => hour) - interval '30 minutes') as ended (at);

-- The attempts at the stuck job: the first one's worker was lost, the second one's hangs.
insert into job_attempt (
    run_attempt_id, job_id, job_name, dag_id, run_owner, scheduler_lease_owner, executor, attempt_state, activated_at,
    terminal_at, terminal_status, terminal_accepted, recovery_at, recovery_state, recovery_reason
)
values
    (
        pg_temp.attempt(pg_temp.job(4, 3), 0), pg_temp.job(4, 3), 'extract', pg_temp.dag(4), 'worker-4', 'gateway-1',
        'extract', 'recovered', pg_temp.ago('4 hours 30 minutes'), null, null, null, pg_temp.ago('3 hours 20 minutes'),
        'retry', 'lease expired'
    ),
    (
        pg_temp.attempt(pg_temp.job(4, 3), 1), pg_temp.job(4, 3), 'extract', pg_temp.dag(4), 'worker-7', 'gateway-1',
        'extract', 'dispatched', pg_temp.ago('3 hours 12 minutes'), null, null, null, null, null, null
    );

-- The history as the triggers would have written it: a row for each change of a job, and the last image of each DAG.
insert into job_history
select (jsonb_populate_record(null::job_history, image || jsonb_build_object('history_id', row_number() over (order by at, id)))).*
from (
    select id, at, to_jsonb(job) || jsonb_build_object(
        'state', change.state, 'retry_count', retries, 'started_on', started, 'completed_on', completed,
        'run_attempt_id', case when started is not null then pg_temp.attempt(id, retries) end, 'history_created_on', at
    ) as image
    from job
    cross join lateral (
        values
            (created_on, 'created', 0, null, null),
            (started_on, 'active', retry_count, started_on, null),
            (completed_on, job.state::text, retry_count, started_on, completed_on)
    ) as change (at, state, retries, started, completed)
    where at is not null
    union all
    select id, at, to_jsonb(job) || jsonb_build_object(
        'state', change.state, 'retry_count', 0, 'started_on', pg_temp.ago('4 hours 30 minutes'),
        'run_attempt_id', pg_temp.attempt(id, 0), 'history_created_on', at
    )
    from job
    cross join lateral (
        values (pg_temp.ago('4 hours 30 minutes'), 'active'), (pg_temp.ago('3 hours 20 minutes'), 'retry')
    ) as change (at, state)
    where id = pg_temp.job(4, 3)
) as recorded;

insert into dag_history
select (jsonb_populate_record(null::dag_history, to_jsonb(dag) || jsonb_build_object(
    'history_id', row_number() over (order by created_on, id), 'history_created_on', coalesce(completed_on, created_on)
))).*
from dag;

select setval('job_history_history_id_seq', count(*)) from job_history;
select setval('dag_history_history_id_seq', count(*)) from dag_history;
alter table job enable trigger record_job;
alter table dag enable trigger record_dag;

-- Up to PostgreSQL 14 every role may create tables here, which `check` reports.
revoke create on schema public from public;
