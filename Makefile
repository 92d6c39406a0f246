# The commands of README.md and CONTRIBUTING.md. As root on Debian they install the programs that they need. Elsewhere they
# print the commands that install them.

.PHONY: demo test test-all bench bench-peers bench-budget pictures deny deb

# The demo's history is small, so it may be read more often than a real one.
demo:
	scripts/require.sh postgresql
	cargo run --release --locked -- demo --collector.slow-interval=30s

test:
	scripts/require.sh postgresql prometheus prometheus-alertmanager pgbouncer iproute2 faketime groff-base systemd tmux
	scripts/test.sh

# All tests, including those that `test` skips or runs at a smaller size. About forty minutes.
test-all:
	scripts/require.sh postgresql prometheus prometheus-alertmanager pgbouncer iproute2 faketime groff-base systemd tmux
	MARIE_EXPORTER_LONG_TESTS=1 CROWD=1 RUST_TEST_THREADS=2 cargo test --locked --no-fail-fast

# About fifteen minutes and 15 GB of temporary disk; see benches/load/main.rs and benches/events/main.rs.
bench:
	scripts/require.sh postgresql
	cargo bench --locked --bench load --bench events

# About fifty minutes and 20 GB of temporary disk; see benches/peers/main.rs.
bench-peers:
	scripts/require.sh postgresql prometheus-sql-exporter prometheus-postgres-exporter
	cargo bench --locked --bench peers

# About thirty minutes and 15 GB of temporary disk; see benches/budget/main.rs.
bench-budget:
	scripts/require.sh postgresql
	cargo bench --locked --bench budget

# The pictures of the dashboards in dashboards/images. About 25 minutes, mostly to let the demo collect history.
pictures:
	scripts/pictures.sh

# Not a part of `test`, because building cargo-deny takes some minutes and its list of advisories needs the network.
deny:
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --locked check

# The Debian package target/debian/*.deb. Needs cargo-deb. scripts/test-deb.sh installs, checks and removes the package.
deb:
	scripts/build-deb.sh
