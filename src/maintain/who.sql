-- Who we are, for the log.
select format('%s on database %s at %s', current_user, current_database(), coalesce(host(inet_server_addr()), 'a socket')) as who
