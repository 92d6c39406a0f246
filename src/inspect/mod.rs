//! The commands that read: which jobs, queues and DAGs are behind the numbers of the metrics.
//!
//! `jobs`, `queues`, `dags` and `stats` hold one file for each command; `command` says what a command is and runs it. A
//! command reads [`Listing`](listing::Listing)s through a [`Reader`](reader::Reader), in a read-only transaction, and
//! prints the rows as a table, JSON or CSV. `top` shows numbers live; `check` tests connection, rights and indexes;
//! `grants` prints the SQL of a role. `cli` parses the arguments and `maintain` uses the checks of indexes.

mod bind;
pub mod check;
mod command;
pub mod dags;
mod fallbacks;
pub mod grants;
pub mod jobs;
mod listing;
pub mod options;
pub mod queues;
mod reader;
mod scope;
mod sections;
pub mod stats;
pub mod top;

pub use self::command::InspectCommand;
pub(crate) use self::command::WithSettings;
use crate::collect::collector::Query;

/// What a command prints on standard output, and a note for standard error.
#[derive(Debug)]
pub struct Output {
    pub text: String,
    /// For example that more rows exist, and how to print them.
    pub note: Option<String>,
}

/// Returns the queries of all commands that the exporter's own role may run. `grants` prints the rights that they need.
pub fn queries() -> impl Iterator<Item = &'static Query> {
    [jobs::JobsAction::QUERIES, queues::QueuesAction::QUERIES, dags::DagsAction::QUERIES]
        .into_iter()
        .flatten()
        .chain([&stats::Stats::QUERIES, &top::QUERIES])
        .flat_map(|queries| queries.iter().copied())
}
