//! `maintain indexes`: creates the indexes that `check` recommends, while other sessions read and write.
//!
//! An interrupted run leaves an invalid index, which no query can use. It is dropped and created again.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use sqlx::Row;
use sqlx::postgres::PgRow;
use tracing::info;

use super::retry::{TABLES, retry};
use super::session::{LockWait, WriteSession};
use crate::config::{Config, quote_identifier};
use crate::inspect::check::{self, INDEX_PREFIX};
use crate::postgres::Failure;
use crate::terminal::console::Console;
use crate::terminal::duration::measured;

pub(super) async fn create_indexes(
    config: &Config,
    session: &mut WriteSession,
    execute: bool,
    console: &Console,
) -> anyhow::Result<()> {
    let shutdown = session.shutdown();
    let report = tokio::select! {
        report = check::check(config) => report,
        () = shutdown.cancelled() => bail!("interrupted; nothing was changed"),
    };
    if let Some(error) = report.error {
        bail!(error);
    }
    let drops = drop_statements(session).await?;
    let creations = report.advice.iter().flat_map(|advice| advice.sql.lines().map(str::to_owned));
    let statements: Vec<String> = drops.into_iter().chain(creations).collect();
    if statements.is_empty() {
        console.say("There is nothing to do: every query that an index could serve has it.");
        return Ok(());
    }
    for advice in &report.advice {
        console.say(&format!("For {}:", advice.file));
        console.say(&advice.sql);
    }
    if !execute {
        console.say("Nothing was changed. Do it with --execute; it reads the whole table for each index.");
        return Ok(());
    }
    for statement in &statements {
        let began = Instant::now();
        let outcome = run_with_retries(session, statement).await;
        let advice = "It can be run again: finished indexes stay, unfinished ones are created again";
        ensure!(!session.was_cancelled(), "interrupted in {statement}\n{advice}");
        outcome.with_context(|| format!("{statement}\n{advice}"))?;
        let seconds = began.elapsed().as_secs_f64();
        info!(who = session.identity, command = "indexes", statement, seconds, "done");
        console.say(&format!("{:>9}  {statement}", measured(seconds)));
    }
    Ok(())
}

/// Runs one statement, with retries if it does not get its lock or loses a deadlock.
///
/// CREATE INDEX on a partitioned table waits for all writers of the table. ATTACH PARTITION waits for all readers and
/// writers of the partition. Later statements wait behind both, so both wait only shortly. CONCURRENTLY waits for
/// transactions to end, and no reader or writer waits for it.
async fn run_with_retries(session: &mut WriteSession, statement: &str) -> Result<(), Failure> {
    let is_concurrent = statement.contains(" INDEX CONCURRENTLY ");
    let wait = if is_concurrent { LockWait::Unlimited } else { LockWait::Short };
    let mut is_first = true;
    let run = async |session: &mut WriteSession| {
        if is_concurrent && !std::mem::take(&mut is_first) {
            // The previous attempt has left an invalid index, which IF NOT EXISTS would accept.
            for drop in drop_statements(session).await? {
                session.run_outside_transaction(&drop, LockWait::Unlimited).await?;
            }
        }
        session.run_outside_transaction(statement, wait).await
    };
    retry(session, &TABLES, run).await
}

/// Returns the statements that drop the exporter's unfinished indexes.
async fn drop_statements(session: &mut WriteSession) -> Result<Vec<String>, Failure> {
    let schema = session.schema.name.clone();
    let statement =
        sqlx::query(include_str!("unfinished_indexes.sql")).bind(schema.as_str()).bind(INDEX_PREFIX);
    let rows = session.fetch_all(statement).await?;
    let drop = |row: &PgRow| {
        let name = quote_identifier(row.try_get("name")?);
        Ok(format!("DROP INDEX CONCURRENTLY IF EXISTS {}.{name};", schema.quoted()))
    };
    Ok(rows.iter().map(drop).collect::<Result<_, sqlx::Error>>()?)
}
