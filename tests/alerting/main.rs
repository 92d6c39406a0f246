//! The whole way from a database in trouble to the person who is paged: real PostgreSQL, the exporter's binary, a
//! real Prometheus with the bundled rules, a real Alertmanager, and a receiver in the test.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/databases.rs"]
mod databases;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/process.rs"]
mod process;
#[path = "../support/prometheus.rs"]
mod prometheus;

mod pages;
mod receiver;
mod stack;
