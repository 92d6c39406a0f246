-- Returns the times of maintenance and of the cron job in the table version, which has one row.
select
    a.activity,
    extract(epoch from max(a.noted))::float8 as marie_scheduler_last_activity_timestamp_seconds
from marie_scheduler.version as v
cross join lateral (
    values
        ('maintenance', v.maintained_on),
        ('maintenance', v.monitored_on),
        ('cron', v.cron_on)
) as a (activity, noted)
where a.noted between '1970-01-01' and '3000-01-01'
group by a.activity
