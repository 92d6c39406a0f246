//! From the database to the text of `/metrics`.
//!
//! A [`collector`] declares queries and the families that they fill; [`collectors`] lists them all. The [`exporter`] runs
//! them at four [`pace`]s, as far as their [`availability`] allows, with the schema and the queues of
//! [`schema_cache`]. It leaves the text in the [`snapshot`], and what happened in [`run_status`] and [`self_metrics`].

pub mod availability;
mod backlog;
pub(crate) mod budget;
pub mod collector;
pub mod collectors;
pub mod division;
pub mod events;
pub mod exporter;
mod history;
pub mod pace;
pub mod pass;
pub mod queue_labels;
pub mod run_status;
pub mod schema_cache;
pub mod self_metrics;
pub mod slice;
pub mod snapshot;
