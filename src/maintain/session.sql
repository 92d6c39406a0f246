-- A dump or a pause may take longer than a server lets a session be idle or a transaction last; not every version has
-- these settings. The server ends the session of a client that is gone: after a second where its socket is closed, after 25 to
-- 30 seconds where the network loses every packet.
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
