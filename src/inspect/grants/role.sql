-- Which database this is, and whether it has a role of that name. One row.
-- $1 the role's name. Costs a look into the catalog.
select
    current_database()::text as database,
    exists (select from pg_roles where rolname = $1) as is_there
