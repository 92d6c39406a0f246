-- Inserts a hundred jobs into each queue, one in ten unfinished, with one DAG for each queue.
insert into dag (id, name, state, planner, serialized_dag, started_on)
select md5(name)::uuid, name, 'active', 'planner', '{}', now() from queue where name not like '$%';

insert into job (id, name, state, data, dag_id, created_on, started_on, completed_on, soft_sla, hard_sla)
select
    md5(q.name || n)::uuid, q.name, (case when n % 10 = 0 then 'created' else 'completed' end)::job_state, '{}',
    md5(q.name)::uuid, now() - interval '1 hour', now() - interval '50 minutes',
    case when n % 10 <> 0 then now() - interval '49 minutes' end, now(), now() + interval '4 hours'
from queue as q
cross join generate_series(1, 100) as n
where q.name not like '$%';
