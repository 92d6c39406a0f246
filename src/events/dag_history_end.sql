-- How far dag_history reaches now, which file it is in, and whether the trigger that writes it is disabled
-- (false where there is no such trigger to be seen). One row.
-- Index: the primary key, of which the last entry is read. Without it the whole history is read.
select
    (select max(history_id) from dag_history)::int8 as last,
    coalesce(pg_relation_filenode(to_regclass('dag_history')), 0)::int8 as file,
    coalesce(
        (
            select bool_and(trigger.tgenabled in ('D', 'R'))
            from pg_trigger as trigger
            join pg_proc as function on function.oid = trigger.tgfoid
            where trigger.tgrelid = to_regclass('dag') and not trigger.tgisinternal
                and function.prosrc ilike '%history%'
        ),
        false
    ) as is_disabled
