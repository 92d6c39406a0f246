//! The whole way from a database in trouble to the person who is paged: real PostgreSQL, the exporter's binary, a
//! real Prometheus with the bundled rules, a real Alertmanager, and a receiver in the test.
//!
//! Usually in a hurry (see `pace`). `MATRIX=1 UPDATE=1 cargo test --test program alerting` changes nothing of the rules, takes
//! more than an hour, and writes what it measured into docs/alerts.md; `MATRIX=3` is done in a third of that.

mod house;
mod matrix;
mod pace;
mod panels;
mod receiver;
mod report;
mod stack;
mod troubles;
