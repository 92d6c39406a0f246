-- The jobs of the newest shape: one plain table, eight states, attempts with run leases that are renewed, and indexes
-- for an operator's view. A queue is only a row.

create type job_state as enum (
    'created', 'retry', 'active', 'completed', 'expired', 'cancelled', 'failed', 'skipped'
);

create table job (
    id uuid primary key,
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
    branch_metadata jsonb,
    lease_owner text,
    lease_expires_at timestamptz,
    lease_epoch bigint default 0,
    run_owner text,
    run_lease_expires_at timestamptz,
    run_attempt_id uuid,
    unique (name, id)
);

-- It was created before the newer columns and still lacks them.
create table archive (like job including defaults);

alter table archive
    drop column branch_metadata,
    drop column run_attempt_id,
    add column archived_on timestamptz not null default now(),
    add primary key (name, id);

create index on job (created_on desc);
create index on job (started_on desc) where started_on is not null;
create index on job (completed_on desc) where completed_on is not null;
create index on job (run_attempt_id)
    where run_attempt_id is not null and state in ('completed', 'failed', 'expired', 'cancelled');
create index on job (lease_expires_at, id)
    where state in ('created', 'retry') and lease_owner is not null;
create index on job (run_lease_expires_at, id)
    where state = 'active' and run_owner is not null and run_attempt_id is not null;
create index on job (dag_id) include (priority, start_after) where state in ('created', 'retry');

alter table dag add column priority int not null default 0;

alter table dag_history add column priority int;

create index on dag (priority desc, coalesce(soft_sla, hard_sla), created_on, id)
    where state in ('created', 'active');
create index on dag (id) include (soft_sla, hard_sla) where state in ('created', 'active');
create index on dag_history (history_created_on desc, history_id desc);

-- Kept when jobs are purged, because it has no foreign keys.
create table job_attempt (
    run_attempt_id uuid primary key,
    job_id uuid not null,
    job_name text not null,
    dag_id uuid not null,
    run_owner text not null,
    scheduler_lease_owner text not null,
    gateway_instance_id text,
    executor text,
    attempt_state text not null default 'activated',
    activated_at timestamptz not null default now(),
    dispatch_started_at timestamptz,
    dispatch_confirmed_at timestamptz,
    dispatch_error text,
    terminal_at timestamptz,
    terminal_status text,
    terminal_work_state text,
    terminal_source text,
    terminal_gateway_instance_id text,
    terminal_scheduler_lease_owner text,
    terminal_accepted bool,
    terminal_reject_reason text,
    recovery_at timestamptz,
    recovery_state text,
    recovery_reason text,
    metadata jsonb not null default '{}',
    created_on timestamptz not null default now(),
    updated_on timestamptz not null default now()
);

create index on job_attempt (job_id);
create index on job_attempt (dag_id);
create index on job_attempt (run_owner);
create index on job_attempt (gateway_instance_id);
create index on job_attempt (updated_on);
create index on job_attempt (activated_at);
create index on job_attempt (terminal_at);
create index on job_attempt (recovery_at);

create function create_queue(queue_name text, options json) returns void
language sql
set search_path from current
as $$
    insert into queue (
        name, policy, retry_limit, retry_delay, retry_backoff, expire_seconds, retention_minutes,
        dead_letter
    )
    values (
        queue_name, options ->> 'policy', (options ->> 'retry_limit')::int,
        (options ->> 'retry_delay')::int, (options ->> 'retry_backoff')::bool,
        (options ->> 'expire_seconds')::int, (options ->> 'retention_minutes')::int,
        options ->> 'dead_letter'
    )
    on conflict do nothing
$$;
