-- Returns the name of the database, and its clock in the session's time zone. Reads no table.
select current_database()::text as database, to_json(now()) #>> '{}' as instant
