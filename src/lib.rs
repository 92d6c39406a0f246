//! Prometheus exporter for the Marie-AI job scheduler's PostgreSQL database.
//!
//! Data flows through the modules in this order: [`config`] holds the settings; [`postgres`] opens sessions; [`schema`]
//! finds out what the database has; [`collect`] runs queries on an interval and publishes the families of [`metrics`] as
//! text; [`serve`] answers requests with it over [`http`].
//!
//! [`inspect`] has the commands that list the jobs behind the numbers. [`maintain`], the only part that writes, has those
//! that clean up. Both print through [`terminal`]. [`cli`] parses the command line, and `main.rs` runs the command.

pub mod cli;
pub mod collect;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod http;
pub mod inspect;
pub mod maintain;
pub mod metrics;
pub mod postgres;
pub mod schema;
pub mod serve;
pub mod terminal;
