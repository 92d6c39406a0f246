//! The bundled dashboards and rules against the code: they parse, keep to the rules of the field, and name only
//! what the exporter publishes. No database is needed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod colours;
mod cross_check;
mod declared;
mod drawing;
mod files;
mod lint;
mod promql;
mod shape;
mod written;
