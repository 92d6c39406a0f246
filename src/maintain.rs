//! The maintaining commands: `marie-exporter maintain …`. The only part that writes to the monitored database, by a
//! connection of its own, and nothing in it is reachable over HTTP. Each command says first what it would do, and does
//! it with `--execute` only.
//!
//! A clean-up makes a [`plan`] in one pass, then takes its units (whole DAGs, or single jobs) in [`batches`], each in one
//! short transaction that locks them, judges them again and moves or deletes them ([`disposal`]). So it can be
//! interrupted and run again at any moment.

mod archive;
mod backup;
mod batches;
mod cleanup;
mod columns;
pub mod console;
mod disposal;
mod everything;
mod history;
mod indexes;
mod plan;
mod purge;
mod queue;
mod references;
mod report;
mod writer;

use tokio::sync::watch;

use self::console::Console;
use crate::config::{Config, Maintenance};
use crate::database::{Failure, Reason};

/// Carries out one maintaining command until it is done or `shutdown` turns true, which ends it after the batch at hand.
///
/// # Errors
/// Any failure of the database, a right that our role lacks, and what the command refuses to do; then nothing has
/// changed but the batches that were told.
pub async fn run(
    config: &Config,
    maintenance: &Maintenance,
    console: &Console,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let outcome = match maintenance {
        Maintenance::Archive(asked) => archive::archive(config, asked, console, shutdown).await,
        Maintenance::Purge(outcome, asked) => purge::purge(config, *outcome, asked, console, shutdown).await,
        Maintenance::PurgeHistory(asked) => history::purge(config, asked, console, shutdown).await,
        Maintenance::PurgeAll(asked) => everything::purge(config, asked, console).await,
        Maintenance::QueueCreate(asked) => queue::create(config, asked, console).await,
        Maintenance::QueueSet(asked) => queue::set(config, asked, console).await,
        Maintenance::Indexes(execution) => indexes::make(config, execution.execute, console).await,
        Maintenance::Backup(to) => backup::backup(config, to, console).await,
    };
    outcome.map_err(|error| {
        let is_denied =
            error.downcast_ref::<Failure>().is_some_and(|failure| failure.reason == Reason::Permission);
        if is_denied { error.context(NOT_OURS) } else { error }
    })
}

const NOT_OURS: &str = "this takes a role that owns the scheduler's tables, not the exporter's";
