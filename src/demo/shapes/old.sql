-- The jobs of the oldest shape: partitioned by queue, seven states. The shape mid begins with it.

create type job_state as enum (
    'created', 'retry', 'active', 'completed', 'expired', 'cancelled', 'failed'
);

create table job (
    id uuid not null,
    name text not null,
    priority int not null default 0,
    data jsonb,
    state job_state not null default 'created',
    retry_limit int not null default 2,
    retry_count int not null default 0,
    retry_delay int not null default 0,
    retry_backoff bool not null default false,
    start_after timestamptz not null default now(),
    started_on timestamptz,
    expire_in interval not null default interval '15 minutes',
    created_on timestamptz not null default now(),
    completed_on timestamptz,
    keep_until timestamptz not null default now() + interval '14 days',
    output jsonb,
    dead_letter text,
    policy text,
    dependencies jsonb default '[]',
    dag_id uuid not null references dag (id) on delete cascade,
    job_level int not null default 0,
    duration interval,
    sla_interval interval,
    soft_sla timestamptz,
    hard_sla timestamptz,
    sla_miss_logged bool not null default false,
    lease_owner text,
    lease_expires_at timestamptz,
    lease_epoch bigint default 0,
    run_owner text,
    run_lease_expires_at timestamptz,
    primary key (name, id)
) partition by list (name);

create table archive (
    like job including defaults,
    archived_on timestamptz not null default now(),
    primary key (name, id)
);

-- Created first and attached afterwards, which needs no lock that blocks readers.
-- As in Marie, the options of an existing queue are ignored silently.
create function create_queue(queue_name text, options json) returns void
language plpgsql
set search_path from current
as $$
declare
    partition text := 'j' || encode(sha224(convert_to(queue_name, 'UTF8')), 'hex');
begin
    insert into queue (
        name, policy, retry_limit, retry_delay, retry_backoff, expire_seconds, retention_minutes,
        dead_letter, partition_name
    )
    values (
        queue_name, options ->> 'policy', (options ->> 'retry_limit')::int,
        (options ->> 'retry_delay')::int, (options ->> 'retry_backoff')::bool,
        (options ->> 'expire_seconds')::int, (options ->> 'retention_minutes')::int,
        options ->> 'dead_letter', partition
    )
    on conflict do nothing;

    if found then
        execute format('create table %I (like job including defaults including generated)', partition);
        execute format('alter table job attach partition %I for values in (%L)', partition, queue_name);
    end if;
end
$$;
