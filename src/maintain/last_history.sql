-- Returns the number of the last row of dag_history, or 0. Index: the primary key.
select coalesce(max(history_id), 0) as last from marie_scheduler.dag_history
