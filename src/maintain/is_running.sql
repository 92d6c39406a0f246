-- Returns whether the session with the process id $1 runs a statement. Reads the list of sessions.
select coalesce(
    (select a.state is null or a.state not like 'idle%' from pg_stat_activity as a where a.pid = $1),
    false
) as is_running
