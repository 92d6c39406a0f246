-- Creates a table of the heap pages of job that are in the server's cache.
create temporary table cached as
select c.oid as relation, b.relblocknumber as page
from pg_buffercache as b
join pg_class as c on pg_relation_filenode(c.oid) = b.relfilenode
where b.relforknumber = 0
    and b.reldatabase = (select oid from pg_database where datname = current_database())
    and c.oid in (select relid from pg_partition_tree('job'))
