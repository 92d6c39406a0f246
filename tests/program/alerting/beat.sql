-- One beat of the simulated scheduler: active jobs finish, waiting jobs start, and each queue gets a new DAG of one job.
-- A job takes two beats. The queue's policy selects a fault: `idle` (jobs never start), `flaky` (half of them fail),
-- `late` (they finish after their hard SLA), `growing` (more arrive than start). Lines of dashes separate the
-- statements, which run in separate transactions.

with ended as (
    update job
    set state = case when queue.policy = 'flaky' and random() < 0.5 then 'failed' else 'completed' end::job_state,
        completed_on = now(),
        -- An SLA within a minute of the creation does not count.
        created_on = case when queue.policy = 'late' then now() - interval '10 minutes' else job.created_on end,
        hard_sla = case when queue.policy = 'late' then now() - interval '5 minutes' else job.hard_sla end
    from queue
    where queue.name = job.name and job.state = 'active' and job.policy = 'calm'
    returning job.dag_id, job.state
)
update dag set state = ended.state, completed_on = now() from ended where dag.id = ended.dag_id
----
update job
set state = 'active', started_on = now()
from queue
where queue.name = job.name
    and job.state = 'created'
    and job.policy = 'calm'
    and queue.policy is distinct from 'idle'
----
with submitted as (
    insert into dag (id, name, state, planner, started_on)
    select gen_random_uuid(), gen_random_uuid() || '_dag', 'active', queue.name, now()
    from queue
    where queue.policy is distinct from 'idle'
    returning id, planner as queue
)
insert into job (id, name, dag_id, policy, soft_sla, hard_sla, start_after)
select gen_random_uuid(), queue, id, 'calm', now() + interval '2 hours', now() + interval '4 hours', now()
from submitted
----
insert into job (id, name, dag_id)
select gen_random_uuid(), name, md5(name)::uuid
from queue, generate_series(1, 3)
where policy = 'growing'
