-- Creates $dags random DAGs from $seed: finished and unfinished, old and recent, with jobs in every state. Some jobs ended an
-- hour before or after the limits of seven and thirty days.
select setseed($seed);

create temp table member as
select
    n as dag,
    md5($seed || ' dag ' || n)::uuid as dag_id,
    md5($seed || ' job ' || n || ' ' || m)::uuid as id,
    m,
    -- Half of the jobs are completed, so that many DAGs are.
    case when random() < 0.5 then 'completed' else (array['completed', 'failed', 'cancelled', 'expired', 'active', 'created'])[1 + floor(random() * 6)::int] end as state,
    (array['1 hour', '6 days 23 hours', '7 days 1 hour', '20 days', '29 days 23 hours', '30 days 1 hour', '90 days'])
        [1 + floor(random() * 7)::int]::interval as age
from generate_series(1, $dags) as n
cross join lateral generate_series(1, 1 + floor(random() * 8)::int) as m;

-- Every third DAG is completed; another third has no unfinished job. In three of four DAGs all jobs have the same age.
update member as m
set state = case when dag % 3 = 0 then 'completed' when dag % 3 = 1 and state in ('active', 'created') then 'failed' else state end,
    age = case when dag % 4 = 0 then age else interval '40 days' * (1 + dag % 2) end;

-- In every sixth DAG the second job has failed, and later jobs wait for it without end.
update member set state = (array['completed', 'failed', 'created'])[least(m, 3)] where dag % 6 = 5;

insert into dag (id, name, state, created_on, completed_on)
select
    dag_id,
    dag_id || '_dag',
    case
        when dag % 13 = 0 then 'active'
        when bool_or(state in ('created', 'active')) and dag % 2 = 0 then 'active'
        when bool_or(state = 'failed') then 'failed'
        else 'completed'
    end,
    now() - interval '100 days',
    now() - min(age)
from member
group by dag, dag_id;

insert into job (id, name, state, dag_id, data, output, retry_count, created_on, started_on, completed_on, dependencies)
select
    id,
    case when dag % 2 = 0 then 'extract' else 'load' end,
    state::job_state,
    dag_id,
    jsonb_build_object('metadata', jsonb_build_object('number', m)),
    to_jsonb(repeat('x', m)),
    m % 3,
    now() - interval '100 days',
    now() - age - interval '1 minute',
    case when state not in ('created', 'active') and random() < 0.97 then now() - age end,
    case when m > 1 then jsonb_build_array(md5($seed || ' job ' || dag || ' ' || (m - 1))::uuid) else '[]' end
from member
order by dag, m;

drop table member;
