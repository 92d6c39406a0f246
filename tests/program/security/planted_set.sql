-- Plants functions, operators, types and views with the names in the tables used_function, used_operator, used_type and
-- used_relation. They have the arguments of the original, and for polymorphic arguments also concrete types, which PostgreSQL
-- prefers. Each object logs `captured by ROLE` when it runs. Objects that cannot be created are skipped, and the caller
-- counts the created ones.
-- plant.role: setting with the role that creates them. plant.schemas: setting with the schemas.
create schema if not exists plant;

create function plant.instance(type oid, element text) returns text language sql stable as $$
    select case
        when t.typname in ('anyelement', 'any', 'anynonarray', 'anycompatible', 'anycompatiblenonarray') then element
        when t.typname in ('anyarray', 'anycompatiblearray') then element || '[]'
        when t.typname = 'anyenum' then 'marie_scheduler.job_state'
        when t.typtype = 'p' and t.typname <> 'record' then null
        else format_type(t.oid, null)
    end
    from pg_type as t
    where t.oid = type
$$;

-- Returns each list of concrete argument types with which a function of these types can be called. A variadic "any" becomes
-- up to five arguments.
create function plant.signatures(types oid[], variadic_any bool) returns setof text[] language sql stable as $$
    select distinct signature
    from unnest(array[
        'text', 'uuid', 'name', 'int2', 'int4', 'int8', 'float8', 'bool', 'timestamptz', 'interval', 'jsonb', 'json', 'oid',
        '"char"', 'regclass', 'numeric', 'record', 'marie_scheduler.job_state'
    ]) as element
    cross join generate_series(0, case when variadic_any then 4 else 0 end) as more
    cross join lateral (
        select array_agg(plant.instance(a.type, element) order by a.place)
            || array_fill(element, array[more]) as signature
        from unnest(types) with ordinality as a (type, place)
    ) as s
    where array_position(s.signature, null) is null
    union
    select '{}'::text[] where cardinality(types) = 0
$$;

create table plant.made (kind text, name text);
grant usage on schema plant to public;
grant insert on plant.made to public;
grant execute on all functions in schema plant to public;

do $do$
declare
    planter text := current_setting('plant.role');
    place text;
    used record;
    signature text[];
    result text;
    body text := format($$ begin raise log 'captured by %s in %%', current_query(); return null; end $$, planter);
begin
    execute format('set local role %I', planter);
    foreach place in array string_to_array(current_setting('plant.schemas'), ',') loop
        for used in select p.proname, p.proargtypes::oid[] as types, p.provariadic, p.prorettype, p.proretset
            from plant.used_function as u join pg_proc as p on p.oid = u.oid
        loop
            for signature in
                select * from plant.signatures(used.types, used.provariadic = '"any"'::regtype)
            loop
                result := coalesce(plant.instance(used.prorettype, coalesce(rtrim(signature[1], '[]'), 'text')), 'text');
                begin
                    execute format(
                        'create function %I.%I(%s) returns %s %s language plpgsql as %L',
                        place, used.proname, array_to_string(signature, ', '),
                        case when used.proretset then 'setof' else '' end, result,
                        case when used.proretset then replace(body, 'return null', 'return') else body end
                    );
                    insert into plant.made values ('function', used.proname);
                exception when others then null;
                end;
            end loop;
        end loop;
        for used in select o.oprname, o.oprleft, o.oprright, o.oprresult
            from plant.used_operator as u join pg_operator as o on o.oid = u.oid
        loop
            for signature in
                select * from plant.signatures(array_remove(array[used.oprleft, used.oprright], 0::oid), false)
            loop
                begin
                    result := format('%I.%I', place, 'planted_' || md5(used.oprname || signature::text));
                    execute format(
                        'create function %s(%s) returns %s language plpgsql as %L',
                        result, array_to_string(signature, ', '), format_type(used.oprresult, null), body
                    );
                    execute format(
                        'create operator %I.%s (%s rightarg = %s, function = %s)',
                        place, used.oprname,
                        case when cardinality(signature) = 2 then format('leftarg = %s, ', signature[1]) else '' end,
                        signature[cardinality(signature)], result
                    );
                    insert into plant.made values ('operator', used.oprname);
                exception when others then null;
                end;
            end loop;
        end loop;
        begin
            execute format('create function %I.captured() returns bool language plpgsql as %L', place, body);
            execute format('create type %I.own as enum (''x'')', place);
        exception when others then null;
        end;
        for used in select t.typname, t.oid from plant.used_type as u join pg_type as t on t.oid = u.oid loop
            begin
                execute format('create domain %I.%I as %s check (%I.captured())', place, used.typname,
                    format_type(used.oid, null), place);
                insert into plant.made values ('type', used.typname);
            exception when others then null;
            end;
            begin
                execute format('create function %I.%I(%s) returns %I.own language plpgsql as %L', place,
                    'to_own', format_type(used.oid, null), place, body);
                execute format('create cast (%s as %I.own) with function %I.to_own(%1$s) as implicit',
                    format_type(used.oid, null), place, place);
                execute format('create function %I.%I(%I.own) returns %s language plpgsql as %L', place,
                    'from_own_' || md5(used.typname), place, format_type(used.oid, null), body);
                execute format('create cast (%1$I.own as %2$s) with function %1$I.%3$I(%1$I.own) as implicit',
                    place, format_type(used.oid, null), 'from_own_' || md5(used.typname));
                insert into plant.made values ('cast', used.typname);
            exception when others then null;
            end;
        end loop;
        for used in select u.name from plant.used_relation as u loop
            begin
                execute format('create view %I.%I as select %I.captured() as captured', place, used.name, place);
                insert into plant.made values ('relation', used.name);
            exception when others then null;
            end;
        end loop;
    end loop;
end
$do$;
