-- Sets those settings of the queue $1 whose parameter is not NULL. Index: the primary key.
update marie_scheduler.queue
set
    retry_limit = coalesce($2, retry_limit),
    retry_delay = coalesce($3, retry_delay),
    retry_backoff = coalesce($4, retry_backoff),
    expire_seconds = coalesce($5, expire_seconds),
    retention_minutes = coalesce($6, retention_minutes),
    updated_on = now()
where name = $1
