# The two commands of the README. Both install what they start, where they may (Debian, as root), and else
# say what to install.

.PHONY: demo test bench

# The demo's history is small, so the slow lane may look at it more often than at a real one.
demo:
	scripts/require.sh postgresql
	cargo run --release --locked -- demo --collector.slow-interval=30s

test:
	scripts/require.sh postgresql prometheus prometheus-alertmanager pgbouncer iproute2
	cargo test --locked

# About fifteen minutes and 15 GB of temporary disk; see benches/load/main.rs and benches/events/main.rs.
bench:
	scripts/require.sh postgresql
	cargo bench --locked --bench load --bench events
