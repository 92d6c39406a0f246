//! Tests of the built program: commands, HTTP, alerts, security, faults of the database and of the process.
//! `tests/library` tests the crate inside the test process.

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
mod inspect;
mod maintain;
mod process;
mod security;
mod soak;
mod web;
