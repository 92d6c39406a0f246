-- Deletes the next $4 rows of a history with numbers above $1 and below $2 that were written before $3. Returns the last of
-- these numbers and the number of deleted rows. `history_table` stands for the table. Index: the primary key.
with next as materialized (
    select history_id
    from marie_scheduler.history_table
    where history_id > $1 and history_id < $2 and history_created_on < $3::text::timestamptz
    order by history_id
    limit $4
),
deleted as (
    delete from marie_scheduler.history_table
    where history_id = any (array(select history_id from next))
    returning history_id
)
select (select max(history_id) from next) as last, count(*) as rows from deleted
