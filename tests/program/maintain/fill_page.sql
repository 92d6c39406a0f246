-- Like fill.sql, for the table of the maintenance page: states are text, and some jobs have no DAG.
select setseed($seed);

insert into job (id, name, state, dag_id, data, retry_count, created_on, started_on, completed_on)
select
    md5($seed || ' job ' || n || ' ' || m)::uuid,
    case when n % 2 = 0 then 'extract' else 'load' end,
    made.state,
    case when n % 5 > 0 then md5($seed || ' dag ' || n)::uuid end,
    jsonb_build_object('metadata', jsonb_build_object('number', m)),
    m % 3,
    now() - interval '100 days',
    now() - made.age - interval '1 minute',
    case when made.state not in ('created', 'active') and random() < 0.97 then now() - made.age end
from generate_series(1, $dags) as n
cross join lateral generate_series(1, 1 + floor(random() * 8)::int) as m
cross join lateral (
    select
        case
            when n % 3 = 0 then 'completed'
            else (array['completed', 'failed', 'cancelled', 'expired', 'skipped', 'active'])[1 + floor((random() + m * 0) * (case when n % 3 = 1 then 5 else 6 end))::int]
        end as state,
        case
            when n % 4 = 0 then (array['1 hour', '6 days 23 hours', '7 days 1 hour', '30 days 1 hour'])[1 + floor((random() + m * 0) * 4)::int]::interval
            else interval '40 days' * (1 + n % 2)
        end as age
) as made;
