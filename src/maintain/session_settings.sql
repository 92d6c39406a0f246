-- Sets the time limits of the session, as far as the server's version has them.
-- A dump or a pause may take longer than the server lets a session be idle or a transaction last, so these limits are
-- off. The server ends the session of a client that is gone: after one second if its socket is closed, after 25 to 30
-- seconds if the network drops every packet.
select set_config(
    name,
    case name
        when 'client_connection_check_interval' then '1000'
        when 'tcp_keepalives_idle' then '10'
        when 'tcp_keepalives_interval' then '5'
        when 'tcp_keepalives_count' then '3'
        when 'tcp_user_timeout' then '30000'
        else '0'
    end,
    false
)
from pg_settings
where name in (
    'idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout',
    'client_connection_check_interval', 'tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count',
    'tcp_user_timeout'
)
