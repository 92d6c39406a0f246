-- The triggers that write history and dependencies. Run last, because the functions write the columns that a table and
-- its history share in this shape.

-- As in Marie: one row for each insert and update, even if nothing changed. A deleted job writes no row. A deleted DAG
-- writes its last image, without a mark.
do $do$
declare
    tracked text;
    columns text;
    image_values text;
begin
    foreach tracked in array array['job', 'dag'] loop
        select
            string_agg(quote_ident(own.attname), ', ' order by own.attnum),
            string_agg('image.' || quote_ident(own.attname), ', ' order by own.attnum)
        into columns, image_values
        from pg_attribute as own
        join pg_attribute as history using (attname)
        where own.attrelid = tracked::regclass
            and history.attrelid = (tracked || '_history')::regclass
            and own.attnum > 0 and not own.attisdropped;

        execute format(
            $sql$
            create function record_%1$s() returns trigger language plpgsql
            set search_path from current
            as $function$
            declare
                image %1$s := coalesce(new, old);
            begin
                insert into %1$s_history (%2$s) values (%3$s);
                return null;
            end
            $function$
            $sql$,
            tracked, columns, image_values
        );
    end loop;
end
$do$;

create trigger record_job after insert or update on job
for each row execute function record_job();

create trigger record_dag after insert or update or delete on dag
for each row execute function record_dag();

-- Only existing parents become rows here. `job.dependencies` lists all of them.
create function sync_job_dependencies() returns trigger
language plpgsql
set search_path from current
as $$
begin
    if tg_op = 'UPDATE' then
        delete from job_dependencies where job_name = new.name and job_id = new.id;
    end if;
    insert into job_dependencies (job_name, job_id, depends_on_name, depends_on_id)
    select new.name, new.id, parent.name, parent.id
    from jsonb_array_elements_text(new.dependencies) as parent_id
    join job as parent on parent.id = parent_id::uuid
    on conflict do nothing;
    return null;
end
$$;

create trigger sync_job_dependencies after insert or update of dependencies on job
for each row execute function sync_job_dependencies();

create function record_kv_store_worker() returns trigger
language plpgsql
set search_path from current
as $$
declare
    image kv_store_worker := coalesce(new, old);
begin
    insert into kv_store_worker_history (
        id, namespace, key, value, shard, created_at, updated_at, is_deleted, operation
    )
    values (
        image.id, image.namespace, image.key, image.value, image.shard, image.created_at,
        image.updated_at, image.is_deleted, left(tg_op, 1)
    );
    return null;
end
$$;

create trigger record_kv_store_worker after insert or update or delete on kv_store_worker
for each row execute function record_kv_store_worker();
