//! What an attacker or a mistake could make of the exporter: the rights of its role, the way to its database,
//! hostile names, secrets in what it says.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "counts are whole numbers")]
#![allow(dead_code, reason = "other test binaries use the rest of the support")]

#[path = "../support/check_metrics.rs"]
mod check_metrics;
#[path = "../support/databases.rs"]
mod databases;
#[path = "../support/fake_server.rs"]
mod fake_server;
#[path = "../support/metrics.rs"]
mod metrics;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/scrape.rs"]
mod scrape;

mod addresses;
mod certificates;
mod columns;
mod confused;
mod encodings;
mod excess;
mod files;
mod filtered;
mod memory;
mod names;
mod planted;
mod planted_set;
mod redaction;
mod refusals;
mod role;
mod secrets;
mod texts;
mod tls;
mod variables;
