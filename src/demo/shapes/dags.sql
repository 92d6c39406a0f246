-- Tables of the shapes old, mid and new that do not refer to jobs: DAGs, queues, schedules, the scheduler's own rows.
-- Run first. The DDL is our own, written from a description of Marie's tables.

create table queue (
    name text primary key,
    policy text,
    retry_limit int,
    retry_delay int,
    retry_backoff bool,
    expire_seconds int,
    retention_minutes int,
    dead_letter text references queue (name),
    partition_name text,
    created_on timestamptz not null default now(),
    updated_on timestamptz not null default now()
);

create table schedule (
    name text primary key references queue (name) on delete cascade,
    cron text not null,
    timezone text,
    data jsonb,
    options jsonb,
    created_on timestamptz not null default now(),
    updated_on timestamptz not null default now()
);

create table subscription (
    event text,
    name text references queue (name) on delete cascade,
    created_on timestamptz not null default now(),
    updated_on timestamptz not null default now(),
    primary key (event, name)
);

create table version (
    version int primary key,
    maintained_on timestamptz,
    cron_on timestamptz,
    monitored_on timestamptz
);

insert into version (version) values (1);

create table dag (
    id uuid primary key,
    name varchar(250) not null,
    state varchar(50),
    root_dag_id uuid,
    is_subdag bool,
    default_view varchar(50),
    serialized_dag jsonb,
    serialized_dag_pickle bytea,
    started_on timestamptz,
    completed_on timestamptz,
    created_on timestamptz not null default now(),
    updated_on timestamptz not null default now(),
    duration interval,
    sla_interval interval,
    soft_sla timestamptz,
    hard_sla timestamptz,
    sla_miss_logged bool not null default false
);

create index on dag (id, state);
create index on dag (id, state) where state not in ('completed', 'failed', 'cancelled');
create index on dag (id) where state not in ('completed', 'failed', 'cancelled');

create table dag_history (
    history_id bigserial primary key,
    id uuid not null,
    name varchar(250) not null,
    state varchar(50),
    root_dag_id uuid,
    is_subdag bool,
    default_view varchar(50),
    serialized_dag jsonb,
    started_on timestamptz,
    completed_on timestamptz,
    created_on timestamptz not null,
    updated_on timestamptz not null,
    duration interval,
    sla_interval interval,
    soft_sla timestamptz,
    hard_sla timestamptz,
    sla_miss_logged bool not null,
    history_created_on timestamptz not null default now()
);

create table kv_store_worker (
    id uuid primary key default gen_random_uuid(),
    namespace varchar(1024),
    key varchar(1024) not null,
    value jsonb,
    shard int,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    is_deleted bool default false,
    unique (namespace, key)
);

create table kv_store_worker_history (
    history_id bigserial primary key,
    id uuid,
    namespace varchar(1024),
    key varchar(1024),
    value jsonb,
    shard int,
    created_at timestamptz,
    updated_at timestamptz,
    is_deleted bool,
    change_time timestamptz default now(),
    operation char(1) check (operation in ('I', 'U', 'D'))
);
