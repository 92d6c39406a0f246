#!/usr/bin/env bash
# Runs the tests of `make test`. The fault matrix of the alerts mostly waits, so it runs beside all others. On Linux a
# session of its own gives it a fair share of the processor. Its output follows theirs; a failure of either is a failure.
#
# usage: scripts/test.sh
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --locked --no-run
output=$(mktemp)
session=$(command -v setsid || true)
$session cargo test --locked --test program -- alerting:: >"$output" 2>&1 &
matrix=$!
# Ctrl-C does not reach another session.
trap 'kill -- "-$matrix" 2>/dev/null || kill "$matrix" 2>/dev/null || true; rm -f "$output"' EXIT

status=0
# Tests wait for servers more than they compute.
RUST_TEST_THREADS=4 cargo test --locked -- --skip alerting:: || status=$?
wait "$matrix" || status=$?
echo "The fault matrix of the alerts, which ran beside them:"
cat "$output"
exit "$status"
