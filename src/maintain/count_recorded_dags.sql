-- Returns how many of the DAGs $2 have a row in dag_history above the number $1. Index: the primary key. Reads only rows that
-- this transaction and concurrent ones have written.
select count(distinct id) as recorded from marie_scheduler.dag_history where history_id > $1 and id = any ($2)
