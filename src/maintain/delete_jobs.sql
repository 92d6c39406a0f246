-- Deletes the jobs $1, which are held. Index: the one on id that every shape has.
delete from job where id = any ($1)
