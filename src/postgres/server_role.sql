-- Returns whether the server is a standby, and whether it accepts writes, for target_session_attrs. Reads no table.
select
    pg_catalog.pg_is_in_recovery() as is_standby,
    pg_catalog.current_setting('default_transaction_read_only') as read_only
