-- How many of the DAGs $2 have a row in dag_history behind the number $1. Index: the primary key; only rows of this
-- transaction and those beside it are read.
select count(distinct id) as recorded from marie_scheduler.dag_history where history_id > $1 and id = any ($2)
