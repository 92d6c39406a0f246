-- One beat of a scheduler without trouble: what is active ends, what was submitted starts, and each queue gets a new
-- DAG of one job. A job takes two beats. The queue's policy says what is to go wrong in it: `idle` (nobody takes its
-- jobs), `flaky` (half of them fail), `late` (they finish after their hard SLA), `growing` (more come than are taken).
-- The statements are separated by lines of dashes: each is a transaction of its own.

with ended as (
    update job
    set state = case when queue.policy = 'flaky' and random() < 0.5 then 'failed' else 'completed' end::job_state,
        completed_on = now(),
        -- An SLA within a minute of the creation is no promise.
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
