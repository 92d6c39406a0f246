-- Takes the lock against a second run on the schema $1 until this transaction ends.
select pg_try_advisory_xact_lock(hashtext('marie-exporter maintain'), hashtext($1)) as locked
