-- Generated columns of the shapes mid and new: the day and the quarter of an hour (0 to 95) in which a job was created and
-- is due. They are in UTC, although Marie names them "local".

alter table job
    add column slot_idx15_created int generated always as (
        extract(hour from created_on at time zone 'UTC')::int * 4
        + extract(minute from created_on at time zone 'UTC')::int / 15
    ) stored,
    add column slot_idx15_soft int generated always as (
        extract(hour from soft_sla at time zone 'UTC')::int * 4
        + extract(minute from soft_sla at time zone 'UTC')::int / 15
    ) stored,
    add column slot_idx15_hard int generated always as (
        extract(hour from hard_sla at time zone 'UTC')::int * 4
        + extract(minute from hard_sla at time zone 'UTC')::int / 15
    ) stored,
    add column slot_idx15_effective int generated always as (
        extract(hour from coalesce(soft_sla, hard_sla, created_on) at time zone 'UTC')::int * 4
        + extract(minute from coalesce(soft_sla, hard_sla, created_on) at time zone 'UTC')::int / 15
    ) stored,
    add column day_local_created date generated always as (
        (created_on at time zone 'UTC')::date
    ) stored,
    add column day_local_soft date generated always as (
        (soft_sla at time zone 'UTC')::date
    ) stored,
    add column day_local_hard date generated always as (
        (hard_sla at time zone 'UTC')::date
    ) stored,
    add column day_local_effective date generated always as (
        (coalesce(soft_sla, hard_sla, created_on) at time zone 'UTC')::date
    ) stored;

create index on job (day_local_effective, slot_idx15_effective);
