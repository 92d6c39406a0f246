-- The quarter hour of the day (0 to 95) and the day in which a job was created and is due, as
-- generated columns, in mid and new. "local" is the columns' name in Marie; they are in UTC.

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
