# The commands of the README and of CONTRIBUTING. They install what they start, where they may (Debian, as
# root), and else say what to install.

.PHONY: demo test test-all bench bench-peers bench-budget pictures deny deb

# The demo's history is small, so it may be read more often than a real one.
demo:
	scripts/require.sh postgresql
	cargo run --release --locked -- demo --collector.slow-interval=30s

test:
	scripts/require.sh postgresql prometheus prometheus-alertmanager pgbouncer iproute2 faketime groff-base systemd tmux
	scripts/test.sh

# The tests that `test` leaves out or runs at a smaller size. About forty minutes.
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

# About forty minutes and 15 GB of temporary disk; see benches/budget/main.rs.
bench-budget:
	scripts/require.sh postgresql
	cargo bench --locked --bench budget

# The dashboards' pictures, dashboards/images: about 25 minutes, most of which the demo needs to have a past.
pictures:
	scripts/pictures.sh

# Not a part of `test`: cargo-deny takes some minutes to build, and its list of advisories the network.
deny:
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --locked check

# target/debian/*.deb, with `cargo install cargo-deb`; scripts/test-deb.sh installs it, looks, and removes it.
deb:
	scripts/build-deb.sh
