-- What the shape mid has beyond old, apart from the slots: the record of a branch's choice.

alter table job add column branch_metadata jsonb;

alter table job_history add column branch_metadata jsonb;
