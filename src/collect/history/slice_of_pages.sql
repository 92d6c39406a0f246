-- The jobs of a range of pages, the same of each partition. $11 the first row address, $12 the first after the range.
-- PostgreSQL reads just these pages from version 14 on, without an index.
slice as not materialized (
    select name, state, retry_count, completed_on
    from marie_scheduler.job
    where ctid >= $11::text::tid and ctid < $12::text::tid
)
