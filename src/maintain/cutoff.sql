-- The instant so many seconds ago ($1) by the database's clock, as text without loss.
select to_char((now() - make_interval(secs => $1)) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as cutoff
