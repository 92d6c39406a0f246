-- The table job as Marie's maintenance page describes it: these columns, the state as text, no index but the primary
-- key, and no other table. It is the least that is supported.

create table job (
    id uuid primary key,
    dag_id uuid,
    name text not null,
    priority integer not null default 0,
    data jsonb,
    state text not null default 'created',
    retry_count integer not null default 0,
    retry_limit integer not null default 2,
    created_on timestamptz not null default now(),
    started_on timestamptz,
    completed_on timestamptz,
    soft_sla timestamptz,
    hard_sla timestamptz,
    dependencies jsonb default '[]'
);
