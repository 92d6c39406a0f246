#!/usr/bin/env bash
# Runs the tests of `make test`. The fault matrix of the alerts mostly waits, so it runs in parallel with all other
# tests. On Linux a separate session gives it a fair share of the processor. Its output is printed last. The script fails
# if either run fails.
#
# usage: scripts/test.sh
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --locked --no-run
output=$(mktemp)
session=$(command -v setsid || true)
$session cargo test --locked --test program -- alerting:: >"$output" 2>&1 &
matrix=$!
# Ctrl-C does not reach the separate session.
trap 'kill -- "-$matrix" 2>/dev/null || kill "$matrix" 2>/dev/null || true; rm -f "$output"' EXIT

status=0
# More threads than processors, because the tests mostly wait for servers.
RUST_TEST_THREADS=4 cargo test --locked -- --skip alerting:: || status=$?
wait "$matrix" || status=$?
echo "The fault matrix of the alerts, which ran in parallel:"
cat "$output"
exit "$status"
