-- Returns the name of the database, and whether the role $1 exists. One row. Reads the catalog only.
select
    current_database()::text as database,
    exists (select from pg_roles where rolname = $1) as is_there
