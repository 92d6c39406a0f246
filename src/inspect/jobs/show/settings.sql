-- Returns the settings with which a job was submitted. $1 its id. Index: the one on id.
select
    job_level as level,
    start_after,
    retry_delay,
    retry_backoff,
    extract(epoch from expire_in) as expire_in,
    keep_until,
    policy,
    dead_letter
from marie_scheduler.job
where id = $1
limit 1
