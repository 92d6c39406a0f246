-- Sets the time zone of the times that are shown, $1, and tells where and when this is.
select
    set_config('TimeZone', $1, true),
    current_database()::text as database,
    to_json(now()) #>> '{}' as instant
