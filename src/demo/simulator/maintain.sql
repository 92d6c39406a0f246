-- Writes the scheduler's heartbeat.

update version set maintained_on = now(), cron_on = now(), monitored_on = now()
