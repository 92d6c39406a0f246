-- Makes reserved jobs active. A start after another start is a retry; retries are counted only here.

update job
set state = 'active', started_on = now(), retry_count = retry_count + (started_on is not null)::int
where state in ('created', 'retry') and lease_owner is not null
