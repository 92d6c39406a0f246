//! The bundled dashboards and rules against the code: they parse, keep to the rules of the field, and name only
//! what the exporter publishes. No database is needed.

mod colours;
mod cross_check;
mod declared;
mod drawing;
mod files;
mod lint;
mod promql;
mod shape;
mod written;
