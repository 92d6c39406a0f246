-- The planner of a DAG. The shape old lacks it, because no migration adds it to older databases.

alter table dag add column planner varchar(250);
alter table dag_history add column planner varchar(250);
