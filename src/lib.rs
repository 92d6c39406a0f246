//! Prometheus exporter for the Marie-AI job scheduler's PostgreSQL database.
//!
//! In reading order, which is also the way that data flows: a [`config`] says which [`database`] to look at
//! and how; [`schema`], [`queues`] and [`catalog`] find out what that database has; a [`family`] is a metric,
//! a [`collector`] is queries that fill families, and [`collectors`] are those there are, the last
//! of which counts [`events`]; the [`runner`]
//! runs them on an interval, as far as their [`standing`] allows, and leaves their text in the [`snapshot`],
//! their fate in [`status`] and [`telemetry`]; the [`server`] and its [`landing`] page show all that
//! to each [`client`] that [`access`], [`tls`] and [`auth`] admit; [`health`] asks a running server.
//! The [`inspect`]'s commands list the jobs behind the numbers, and [`maintain`], the only part that writes, cleans up.
//! Text from outside passes through [`display_text`] before people see it.
//! [`serve`] puts them together until [`shutdown`]; [`check`], [`rights`], [`dashboards`], [`listing`] and [`manual`] are the
//! commands beside it.

pub mod catalog;
pub mod cli;
pub mod collector;
pub mod collectors;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod division;
pub mod events;
pub mod family;
pub mod http;
pub mod inspect;
pub mod maintain;
pub mod postgres;
pub mod queues;
pub mod runner;
pub mod schema;
pub mod serve;
pub mod snapshot;
pub mod standing;
pub mod status;
pub mod telemetry;
pub mod terminal;
