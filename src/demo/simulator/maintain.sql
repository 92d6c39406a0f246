-- The scheduler's own sign of life.

update version set maintained_on = now(), cron_on = now(), monitored_on = now()
