//! Tests that call the crate: on a real PostgreSQL queries, events, paces and the demo; without a database alerts,
//! dashboards, documents and the sources themselves. `tests/program` tests the built program.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

#[allow(dead_code, reason = "the other test binary uses the rest")]
#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod contract;
mod dashboards;
mod demo;
mod documents;
mod events;
mod history;
mod queries;
mod rooms;
mod runner;
mod style;
