//! The bundled dashboards and rules: they parse, pass the linter's rules, and use only published series.
//!
//! These tests need no database.

mod colours;
mod cross_check;
mod declared;
mod drawing;
mod files;
mod lint;
mod promql;
mod shape;
mod written;
