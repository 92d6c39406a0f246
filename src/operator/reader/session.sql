-- Sets the time zone of the times that are printed, $1; has each statement planned for its arguments: a filter that is not
-- asked for is then none; and has the server notice when nobody waits for an answer any more, where it can.
select
    set_config('TimeZone', $1, true),
    set_config('plan_cache_mode', 'force_custom_plan', true),
    (
        select set_config(name, '1000', true)
        from pg_settings
        where name = 'client_connection_check_interval'
    )
