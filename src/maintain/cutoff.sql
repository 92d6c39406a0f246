-- Returns the instant $1 seconds ago by the database's clock, as text with microseconds.
select to_char((now() - make_interval(secs => $1)) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as cutoff
