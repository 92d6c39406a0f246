-- Cancels the statement that the session with the process id $1 runs, if it runs one. Reads the list of sessions.
select pg_cancel_backend(a.pid) from pg_stat_activity as a where a.pid = $1 and a.state is distinct from 'idle'
