#!/bin/sh
# Builds the Debian package target/debian/marie-exporter_*.deb, with the program, its manual pages and shell completions.
# Needs cargo-deb (`cargo install --locked cargo-deb`).
set -eu
cd "$(dirname "$0")/.."
command -v cargo-deb >/dev/null || { echo "cargo-deb is missing: cargo install --locked cargo-deb" >&2; exit 1; }
cargo build --release --locked --no-default-features
program=target/release/marie-exporter
out=target/package
rm -rf "$out"
mkdir -p "$out/completions"
"$program" man --out "$out/man"
"$program" completions bash >"$out/completions/marie-exporter"
"$program" completions zsh >"$out/completions/_marie-exporter"
"$program" completions fish >"$out/completions/marie-exporter.fish"
cargo deb --locked --no-build
