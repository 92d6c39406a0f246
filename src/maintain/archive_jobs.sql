-- Moves the jobs $1, which are held, into the archive: out of the one table and into the other in one statement.
-- `shared_columns` stands for the columns that both tables have. Index: the one on id that every shape has.
with moved as (
    delete from job where id = any ($1) returning shared_columns
)
insert into archive (shared_columns, archived_on)
select shared_columns, now() from moved
