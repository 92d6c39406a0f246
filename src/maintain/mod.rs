//! The maintaining commands: `marie-exporter maintain …`. The only part that writes to the monitored database, by a
//! connection of its own, and nothing in it is reachable over HTTP. Each command says first what it would do, and does
//! it with `--execute` only.
//!
//! A clean-up makes a [`plan`] in one pass, then takes its units (whole DAGs, or single jobs) in [`batches`], each in one
//! short transaction that locks them, judges them again and moves or deletes them ([`disposal`]). So it can be
//! interrupted and run again at any moment.

mod archive;
pub mod args;
pub mod backup;
mod batches;
mod cleanup;
mod columns;
mod disposal;
mod estimate;
mod everything;
mod history;
mod indexes;
mod keepers;
mod plan;
mod purge;
mod queue;
mod references;
mod report;
mod retry;
mod watchdog;
mod writer;

use anyhow::bail;

use self::writer::Writer;
use crate::config::Config;
use crate::maintain::args::Maintenance;
use crate::postgres::{Failure, Reason};
use crate::terminal::console::Console;
use tokio_util::sync::CancellationToken;

/// Carries out one maintaining command until it is done or `shutdown` is cancelled. The statement that runs then is
/// cancelled, a batch only if it takes longer than five seconds.
///
/// # Errors
/// Any failure of the database, a right that our role lacks, and what the command refuses to do. Nothing has changed
/// then but what was printed.
pub async fn run(
    config: &Config,
    maintenance: &Maintenance,
    console: &Console,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let opened = tokio::select! {
        opened = Writer::open(config, maintenance.executes(), shutdown.clone()) => opened,
        () = shutdown.cancelled() => bail!("interrupted; nothing was changed"),
    };
    let mut was_cancelled = false;
    let outcome = match opened {
        Ok(mut writer) => {
            let outcome = carry_out(config, &mut writer, maintenance, console).await;
            was_cancelled = writer.was_cancelled();
            writer.close().await;
            outcome
        }
        Err(failure) => Err(failure.into()),
    };
    outcome.map_err(|error| {
        let advice = error.downcast_ref::<Failure>().and_then(|failure| advice(failure.reason));
        match advice {
            Some(advice) if !was_cancelled => error.context(advice),
            _ => error,
        }
    })
}

async fn carry_out(
    config: &Config,
    writer: &mut Writer,
    maintenance: &Maintenance,
    console: &Console,
) -> anyhow::Result<()> {
    let changes_jobs =
        matches!(maintenance, Maintenance::Archive(_) | Maintenance::Purge(..) | Maintenance::PurgeAll(_));
    if changes_jobs && let Some(lack) = writer.schema.lacks_locks_to_change_jobs() {
        return Err(Failure::new(Reason::LockLimit, format!("this {lack}; nothing was changed")).into());
    }
    match maintenance {
        Maintenance::Archive(asked) => archive::archive(config, writer, asked, console).await,
        Maintenance::Purge(outcome, asked) => purge::purge(config, writer, *outcome, asked, console).await,
        Maintenance::PurgeHistory(asked) => history::purge(config, writer, asked, console).await,
        Maintenance::PurgeAll(asked) => everything::purge(config, writer, asked, console).await,
        Maintenance::QueueCreate(asked) => queue::create(writer, asked, console).await,
        Maintenance::QueueSet(asked) => queue::set(writer, asked, console).await,
        Maintenance::Indexes(execution) => indexes::make(config, writer, execution.execute, console).await,
    }
}

/// What a person can do about a failure.
fn advice(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Permission => Some("this takes a role that owns the scheduler's tables, not the exporter's"),
        Reason::Lock => {
            Some("another session holds a lock on the scheduler's tables (see pg_locks); try again later")
        }
        Reason::Timeout => {
            Some("the server took too long; a smaller --batch may help, but a DAG is never divided")
        }
        _ => None,
    }
}
