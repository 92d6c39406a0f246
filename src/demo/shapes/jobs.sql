-- Tables of the shapes old, mid and new that refer to jobs: history and dependencies; and the indexes that exist in
-- production, among them two pairs of duplicates. Run after the shape's own job table.

create table job_history (
    history_id bigserial primary key,
    id uuid not null,
    name text not null,
    priority int not null,
    data jsonb,
    state job_state not null,
    retry_limit int not null,
    retry_count int not null,
    retry_delay int not null,
    retry_backoff bool not null,
    start_after timestamptz not null,
    started_on timestamptz,
    expire_in interval not null,
    created_on timestamptz not null,
    completed_on timestamptz,
    keep_until timestamptz not null,
    output jsonb,
    dead_letter text,
    policy text,
    dependencies jsonb,
    dag_id uuid not null,
    job_level int not null,
    duration interval,
    sla_interval interval,
    soft_sla timestamptz,
    hard_sla timestamptz,
    sla_miss_logged bool not null,
    history_created_on timestamptz not null default now()
);

create table job_dependencies (
    job_name text,
    job_id uuid,
    depends_on_name text,
    depends_on_id uuid,
    primary key (job_name, job_id, depends_on_name, depends_on_id),
    foreign key (job_name, job_id) references job (name, id) on delete cascade,
    foreign key (depends_on_name, depends_on_id) references job (name, id) on delete cascade
);

create index on job_dependencies (job_id);
create index on job_dependencies (job_name, job_id);
create index on job_dependencies (depends_on_id);
create index on job_dependencies (depends_on_name, depends_on_id);
create index on job_dependencies (job_id, depends_on_id);
create index on job_dependencies (depends_on_id, job_id);

create index on job using gin (dependencies jsonb_path_ops);
create index on job (dag_id);
create index on job (name, dag_id);
create index on job (dag_id, name);
create index on job (hard_sla) where hard_sla is not null;
create index on job (soft_sla) where soft_sla is not null;
create index on job (id) where state <> 'completed';
create index on job (id) where state <> 'completed';
create index on job (id) where state = 'failed';
create index on job (id, state);
create index on job (name, id, state);
create index on job (name, state, start_after);
create index on job (name, state, start_after);
create index on job (name, state);
create index on job (state);
create index on job (state, start_after, name);
create index on job (state, start_after) include (id, dag_id) where state in ('created', 'retry');
create index on job (name, state, start_after) include (id, dag_id)
    where state in ('created', 'retry');
create index on job (state, start_after, dag_id) include (id, name)
    where state in ('created', 'retry');

create index on archive (archived_on);
create index on archive (id);
