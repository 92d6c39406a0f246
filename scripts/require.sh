#!/bin/sh
# Checks that the programs exist that the demo, the tests and the pictures start: the PostgreSQL server, promtool, amtool,
# a browser and others. Installs missing packages as root on Debian. Elsewhere prints the commands that install them.
#
# usage: scripts/require.sh PACKAGE...     Debian's names of the packages
set -eu

present() {
    case $1 in
    postgresql)
        for folder in $(echo "$PATH" | tr : ' ') /usr/lib/postgresql/*/bin /usr/local/bin /usr/local/pgsql/bin \
            /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
            if [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ]; then return 0; fi
        done
        return 1
        ;;
    prometheus) command -v promtool >/dev/null ;;
    prometheus-alertmanager) command -v amtool >/dev/null ;;
    pgbouncer) command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] ;;
    faketime) [ "$(uname)" != Linux ] || command -v faketime >/dev/null ;;
    iproute2) [ "$(uname)" != Linux ] || command -v ip >/dev/null || [ -x /usr/sbin/ip ] ;;
    groff-base) command -v groff >/dev/null ;;
    # Only Linux has systemd. Elsewhere its tests are skipped.
    systemd) [ "$(uname)" != Linux ] || command -v systemd-analyze >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

missing=
for package in "$@"; do
    present "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # Wait for the lock, because another apt may run on a machine that has just started.
    # shellcheck disable=SC2086 # one word for each package
    apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends $missing >/dev/null
    exit 0
fi

echo "missing:$missing; install with" >&2
echo "  Debian, Ubuntu:  sudo apt-get install$missing" >&2
fedora=$(echo "$missing" | sed 's/postgresql/postgresql-server/; s/ prometheus/ golang-github-prometheus/g; s/iproute2/iproute/; s/faketime/libfaketime/')
brew=$(echo "$missing" | sed 's/prometheus-alertmanager/alertmanager/; s/groff-base/groff/')
echo "  Fedora:          sudo dnf install$fedora" >&2
echo "  macOS:           brew install$brew" >&2
exit 1
