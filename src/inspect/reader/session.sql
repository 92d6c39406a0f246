-- Sets the time zone of printed times, $1. Makes the server end a statement whose client is gone, from version 14 on.
select
    set_config('TimeZone', $1, true),
    (
        select set_config(name, '1000', true)
        from pg_settings
        where name = 'client_connection_check_interval'
    )
