-- Makes the queue $1 with the options $2, by Marie's own function, which makes the partition too where there are any.
select marie_scheduler.create_queue($1, $2::json)
