-- Takes the maintain lock of the schema $1 until the transaction ends, if no other session holds it.
select pg_try_advisory_xact_lock(hashtext('marie-exporter maintain'), hashtext($1)) as locked
