-- A worker takes the job: the reservation becomes a run lease of a minute, and the attempt gets an id. Some workers are
-- lost: most leave a lease that expires. In gen5_extract a few hang and their lease is renewed for ever; few, because
-- they accumulate.

with dispatched as (
    update job
    set run_attempt_id = gen_random_uuid(),
        run_owner = case
            when random() < 0.002 and (
                name <> 'gen5_extract'
                or 20 > (
                    select count(*) from job as other
                    where other.state = 'active' and other.run_owner in ('worker-hung', 'worker-lost')
                )
            )
                then case
                    when name = 'gen5_extract' and random() < 0.5 then 'worker-hung'
                    else 'worker-lost'
                end
            else 'worker-' || 1 + floor(random() * 8)::int
        end,
        run_lease_expires_at = now() + interval '1 minute',
        lease_owner = null,
        lease_expires_at = null
    where state = 'active' and lease_owner is not null
    returning id, name, dag_id, run_owner, run_attempt_id, data -> 'metadata' ->> 'on' as executor
),

attempt as (
    insert into job_attempt (
        run_attempt_id, job_id, job_name, dag_id, run_owner, scheduler_lease_owner,
        gateway_instance_id, executor
    )
    select run_attempt_id, id, name, dag_id, run_owner, 'gateway-1', 'gateway-1', executor
    from dispatched
)

insert into kv_store_worker (namespace, key, value)
select 'job', 'marie_internal/job_info_' || id, '{"status": "PENDING"}'
from dispatched
on conflict (namespace, key) do update set value = excluded.value, updated_at = now()
