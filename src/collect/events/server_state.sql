-- Returns which transactions have ended in the snapshot of this run, and the identity of server and database. One row.
-- horizon: every transaction with a lower id has ended.
-- ceiling: no transaction with this or a higher id had begun to write. (xmax of the snapshot is no such ceiling: it is
-- one above the last transaction that ended, and later transactions may be writing.)
-- Index: none needed; the functions read memory and the control file.
select
    pg_snapshot_xmin(pg_current_snapshot())::text as horizon,
    (
        pg_snapshot_xmin(pg_current_snapshot())::text::int8 + age(pg_snapshot_xmin(pg_current_snapshot())::xid)
    )::text as ceiling,
    extract(epoch from now())::float8 as at,
    pg_is_in_recovery() as in_recovery,
    (select system_identifier::text from pg_control_system()) as system_identifier,
    -- The control file holds the timeline of the last checkpoint, which can be minutes old after a promotion.
    case
        when pg_is_in_recovery() then (select timeline_id::int8 from pg_control_checkpoint())
        else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int8
    end as timeline,
    (select oid::int8 from pg_database where datname = current_database()) as database_oid
