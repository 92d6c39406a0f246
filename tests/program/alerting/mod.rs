//! Tests the alerts end to end: real PostgreSQL, the exporter's binary, a real Prometheus with the bundled rules, a real
//! Alertmanager, and a receiver in the test.
//!
//! `time_scale` shortens all durations. `MATRIX=1 UPDATE=1 cargo test --test program alerting` runs at the speed of
//! production, takes more than an hour, and writes its results into docs/alerts.md; `MATRIX=3` takes a third of that.

mod cases;
mod matrix;
mod panels;
mod receiver;
mod report;
mod scenario;
mod stack;
mod time_scale;
