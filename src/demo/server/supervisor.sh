# Runs one throwaway PostgreSQL until its owner ends; supervisor.rs has the protocol.
# Arguments: the folder of the server's binaries, the server's own folder, its port.
#
# The owner holds the other end of the pipe on standard input. The kernel closes it when the owner ends, even when it
# is killed, so the end of input means that the owner has ended.

# A signal to the whole session or container must not end this shell before it has removed the folder, and neither must
# a write to a pipe whose reader has ended. PostgreSQL installs its own handlers for these signals.
trap '' HUP INT TERM PIPE

binaries=$1 folder=$2 port=$3
data=$folder/data log=$folder/log pid=

if [ ! -d "$data" ]; then
    if [ -e "$folder/password" ]; then
        set -- -A scram-sha-256 --pwfile="$folder/password"
    else
        set -- -A trust
    fi
    "$binaries/initdb" -D "$data" -U postgres "$@" -E UTF8 --no-locale --no-sync \
        >"$log" 2>&1 </dev/null &&
        cat "$folder/settings.conf" >>"$data/postgresql.conf" &&
        : >"$folder/initialised"
fi

if [ -e "$folder/initialised" ]; then
    "$binaries/postgres" -D "$data" -k "$folder" -p "$port" 2>>"$log" </dev/null &
    pid=$!
    echo "$pid"
fi

# From here on only the server and its children hold standard output. When the last of them ends, the owner's read ends.
exec >&-

read -r order
if [ -n "$pid" ]; then
    # Repeated, because a background process ignores the signal until the server has installed its handlers.
    while kill -QUIT "$pid" 2>/dev/null; do sleep 0.1; done &
    wait "$pid"
fi
echo stopped >&2

# After "stop" the data stay for another start. "leave" means that another supervisor uses them now.
[ "$order" = stop ] && read -r order
[ "$order" = leave ] || rm -rf "$folder" 2>/dev/null
