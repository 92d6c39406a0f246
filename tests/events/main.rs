//! The event feed against a real PostgreSQL: transactions that overlap, commit late and roll back, a process that
//! is killed, histories that are truncated, purged, restored. Every total has to be what the history says.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

#[path = "../support/databases.rs"]
mod databases;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/metrics.rs"]
mod metrics;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/process.rs"]
mod process;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../support/scrape.rs"]
mod scrape;

mod backlog;
mod counting;
mod exactly_once;
mod history;
mod holds;
mod kills;
mod open_transactions;
mod repetitions;
mod rewrites;
mod series;
mod state_file;
mod truth;
mod writers;
