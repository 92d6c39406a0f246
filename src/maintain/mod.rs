//! The commands `marie-exporter maintain …`, the only part that writes to the monitored database.
//!
//! They use their own connections, and no HTTP request reaches them. Each command prints what it would do, and does it only
//! with `--execute`. [`args`] declares the command line, [`session`] is the connection that may write.
//!
//! `archive` and the purges of jobs are a [`cleanup`]: it reads a [`plan`] once, then removes its units (whole DAGs, or single
//! jobs) in a [`batch_loop`]. Each [`batch`] is a short transaction that locks units, judges them again, and removes them.
//! A clean-up can therefore be interrupted and run again at any time.

mod archive;
mod archive_columns;
pub mod args;
pub mod backup;
mod batch;
mod batch_loop;
mod batch_size;
mod cleanup;
mod criteria;
mod detaching_keys;
mod estimate;
mod foreign_keys;
mod indexes;
mod login;
mod plan;
mod plan_text;
mod purge_history;
mod purge_jobs;
mod queue;
mod removal;
mod retry;
mod session;
mod tally;
mod truncate_all;
mod watchdog;

use anyhow::bail;
use tokio_util::sync::CancellationToken;

use self::args::Maintenance;
use self::session::WriteSession;
use crate::config::Config;
use crate::postgres::{Failure, Reason};
use crate::terminal::console::Console;

/// Runs one maintaining command until it is done or `shutdown` is cancelled.
///
/// Cancelling `shutdown` cancels the running statement, but a batch only if it takes longer than five seconds.
///
/// # Errors
/// The database fails, the role lacks a right, or the command refuses its task. Only what was printed has changed.
pub async fn run(
    config: &Config,
    maintenance: &Maintenance,
    console: &Console,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let opened = tokio::select! {
        opened = WriteSession::open(config, maintenance.executes(), shutdown.clone()) => opened,
        () = shutdown.cancelled() => bail!("interrupted; nothing was changed"),
    };
    let mut was_cancelled = false;
    let outcome = match opened {
        Ok(mut session) => {
            let outcome = run_command(config, &mut session, maintenance, console).await;
            was_cancelled = session.was_cancelled();
            session.close().await;
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

async fn run_command(
    config: &Config,
    session: &mut WriteSession,
    maintenance: &Maintenance,
    console: &Console,
) -> anyhow::Result<()> {
    let changes_jobs =
        matches!(maintenance, Maintenance::Archive(_) | Maintenance::Purge(..) | Maintenance::PurgeAll(_));
    if changes_jobs && let Some(lack) = session.schema.lacks_locks_to_change_jobs() {
        return Err(Failure::new(Reason::LockLimit, format!("this {lack}; nothing was changed")).into());
    }
    match maintenance {
        Maintenance::Archive(args) => archive::archive(config, session, args, console).await,
        Maintenance::Purge(outcome, args) => {
            purge_jobs::purge(config, session, *outcome, args, console).await
        }
        Maintenance::PurgeHistory(args) => purge_history::purge(config, session, args, console).await,
        Maintenance::PurgeAll(args) => truncate_all::purge(config, session, args, console).await,
        Maintenance::QueueCreate(args) => queue::create(session, args, console).await,
        Maintenance::QueueSet(args) => queue::set(session, args, console).await,
        Maintenance::Indexes(args) => indexes::create_indexes(config, session, args.execute, console).await,
    }
}

/// Returns what the user can do about a failure.
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
