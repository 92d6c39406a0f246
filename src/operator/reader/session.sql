-- Sets the time zone of the times that are printed, $1, and has each statement planned for its arguments: a filter
-- that is not asked for is then none.
select
    set_config('TimeZone', $1, true),
    set_config('plan_cache_mode', 'force_custom_plan', true)
