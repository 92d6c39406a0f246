//! The crate inside the test process, on a real PostgreSQL: queries, events, lanes, demo; and what needs no database:
//! alerts, dashboards, documents. What the built program does is in `tests/program`.

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
mod queries;
mod rooms;
mod runner;
mod style;
