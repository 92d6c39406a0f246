-- Counts the cached heap pages of job: all, those with an unfinished job, of the others those with a parent of a
-- waiting job, and the rest.
with unfinished as (
    select distinct j.tableoid as relation, (j.ctid::text::point)[0]::bigint as page
    from job as j
    where j.state in ('created', 'retry', 'active')
),
parent as (
    select distinct p.tableoid as relation, (p.ctid::text::point)[0]::bigint as page
    from job as w
    join job_dependencies as d on d.job_name = w.name and d.job_id = w.id
    join job as p on p.name = d.depends_on_name and p.id = d.depends_on_id
    where w.state in ('created', 'retry')
)
select
    count(*) as pages,
    count(u.page) as unfinished,
    count(*) filter (where u.page is null and p.page is not null) as parents,
    count(*) filter (where u.page is null and p.page is null) as others
from cached as c
left join unfinished as u using (relation, page)
left join parent as p using (relation, page)
