# Runs one throwaway PostgreSQL for as long as its owner lives; see supervisor.rs for the protocol.
# Arguments: the folder of the server's binaries, the server's own folder, its port.
#
# The owner holds the other end of our standard input. It may be killed without a chance to tidy
# up, but the kernel closes that pipe in every case, so the end of input means: it is gone.

# A signal to the whole session or container must not take us away before we have tidied up, nor
# must the end of the owner that we answer to. (PostgreSQL installs its own handlers for these.)
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

# From here on only the server and its children hold our output: its end tells the owner that it
# has ended, also by itself.
exec >&-

read -r order
if [ -n "$pid" ]; then
    # Again and again: until it has set up its own handling, it ignores this signal as all background processes do.
    while kill -QUIT "$pid" 2>/dev/null; do sleep 0.1; done &
    wait "$pid"
fi
echo stopped >&2

# After "stop" the data wait for another start. "leave" says that another supervisor minds them.
[ "$order" = stop ] && read -r order
[ "$order" = leave ] || rm -rf "$folder" 2>/dev/null
