-- Creates temporary objects, once for each session of the simulator: the queues with the behaviour of their jobs, and
-- the form of a DAG. They are temporary so that the schema has the same objects as Marie's.

create temporary table profile (
    queue text,
    -- A DAG whose random number is between the two belongs to this queue.
    share_from float8,
    share_to float8,
    mean_run_seconds float8,
    -- Share of first attempts that fail. Half of all later attempts fail.
    failing_share float8,
    expire_in interval
);

-- Returns a random UUID of version 7 for a time: its first 48 bits are milliseconds since 1970.
create function pg_temp.dated(id uuid, given_out timestamptz) returns uuid
language sql
as $$
    select (left(milliseconds, 8) || '-' || right(milliseconds, 4) || '-7' || substr(id::text, 16))::uuid
    from lpad(to_hex(floor(extract(epoch from given_out) * 1000)::int8), 12, '0') as milliseconds
$$;

-- Returns the nodes of a DAG, parents before children. Node 0 and the last node are control flow. The nodes between form
-- `width` parallel chains from the first to the last.
create function pg_temp.blueprint(dags int) returns table (
    dag_id uuid,
    queue text,
    planner text,
    nodes int,
    width int,
    priority int,
    position_ int,
    job_id uuid,
    is_control_flow bool,
    chain int,
    job_level int,
    parents jsonb,
    data jsonb,
    expire_in interval,
    mean_run_seconds float8,
    soft_seconds float8,
    hard_seconds float8
)
language sql
as $$
    with dag_dice as materialized (
        select
            pg_temp.dated(gen_random_uuid(), now()) as dag_id,
            random() as queue_die,
            random() as planner_die,
            random() as width_die,
            random() as promise_die,
            3 + floor(random() * 10)::int as nodes,
            floor(random() * 10)::int as priority
        from generate_series(1, dags)
    ),

    planned as (
        select
            dag_dice.*,
            profile.*,
            (array['invoices', 'contracts', 'claims', 'mailroom', null])
                [1 + floor(power(planner_die, 2) * 5)::int] as planner,
            1 + floor(width_die * least(3, nodes - 2))::int as width
        from dag_dice
        join profile on queue_die >= share_from and queue_die < share_to
    ),

    node as materialized (
        select planned.*, position_, pg_temp.dated(gen_random_uuid(), now()) as job_id
        from planned, generate_series(0, nodes - 1) as position_
    ),

    parent as (
        select child.job_id, jsonb_agg(parent.job_id) as parents
        from node as child
        join node as parent on parent.dag_id = child.dag_id and case
            when child.position_ = 0 then false
            when child.position_ = child.nodes - 1
                then parent.position_ between child.nodes - 1 - child.width and child.nodes - 2
            else parent.position_ = greatest(0, child.position_ - child.width)
        end
        group by child.job_id
    )

    select
        node.dag_id, queue, planner, nodes, width, priority, position_, job_id,
        position_ in (0, nodes - 1),
        case when position_ between 1 and nodes - 2 then (position_ - 1) % width end,
        case
            when position_ = 0 then (nodes - 3) / width + 2
            when position_ = nodes - 1 then 0
            else (nodes - 2 - position_) / width + 1
        end,
        coalesce(parents, '[]'),
        jsonb_build_object('metadata', jsonb_build_object(
            'on', case when position_ in (0, nodes - 1) then 'noop' else 'executor://' || queue end,
            'ref_type', 'document', 'ref_id', node.dag_id, 'planner', planner,
            'doc_type', coalesce(rtrim(planner, 's'), 'letter'), 'doc_id', 'doc-' || right(job_id::text, 8)
        )),
        node.expire_in, mean_run_seconds,
        -- The defaults of Marie's gateway: the soft SLA at once, the hard SLA in 4 hours.
        case when promise_die < 0.4 then 0 else 15 + (promise_die - 0.4) * 200 end,
        case when promise_die < 0.4 then 14400 else 45 + (promise_die - 0.4) * 500 end
    from node
    left join parent using (job_id)
    order by node.dag_id, position_
$$;
