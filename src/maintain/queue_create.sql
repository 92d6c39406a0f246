-- Creates the queue $1 with the options $2 by Marie's own function, which also creates a partition if the shape has them.
select marie_scheduler.create_queue($1, $2::json)
