//! The built program as users, Prometheus and attackers meet it: commands, HTTP, alerts, faults of the database and of
//! the process. What the crate does inside the test process is in `tests/library`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

#[allow(dead_code, reason = "the other test binary uses the rest")]
#[path = "../support/mod.rs"]
mod support;

mod alerting;
mod binary;
mod contrib;
mod faults;
mod golden;
mod http;
mod maintain;
mod operator;
mod process;
mod security;
mod soak;
mod web;
