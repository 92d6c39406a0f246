-- Sets the time zone of the times that are printed, $1, and makes the server end a statement whose client is gone, where
-- it can.
select
    set_config('TimeZone', $1, true),
    (
        select set_config(name, '1000', true)
        from pg_settings
        where name = 'client_connection_check_interval'
    )
