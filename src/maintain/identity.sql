-- Returns the role, the database and the server, for messages and the log.
select format('%s on database %s at %s', current_user, current_database(), coalesce(host(inet_server_addr()), 'a socket')) as identity
