//! `maintain indexes`: what `check` recommends, made while others read and write. An index that an interrupted run left
//! unfinished serves no query, so it is dropped and made again.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use sqlx::Row;
use tracing::info;

use super::retry::{TABLES, retried};
use super::writer::{Locks, Writer};
use crate::config::{Config, quote_identifier};
use crate::inspect::check::{self, INDEX_PREFIX};
use crate::postgres::Failure;
use crate::terminal::console::Console;
use crate::terminal::duration::measured;

pub(super) async fn make(
    config: &Config,
    writer: &mut Writer,
    execute: bool,
    console: &Console,
) -> anyhow::Result<()> {
    let report = tokio::select! {
        report = check::check(config) => report,
        () = writer.interrupted() => bail!("interrupted; nothing was changed"),
    };
    if let Some(error) = report.error {
        bail!(error);
    }
    let drops = leftovers(writer).await?;
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
        let made = make_one(writer, statement).await;
        let state = "It can be run again: what is made stays, what is half made is made again";
        ensure!(!writer.was_cancelled(), "interrupted in {statement}\n{state}");
        made.with_context(|| format!("{statement}\n{state}"))?;
        let seconds = began.elapsed().as_secs_f64();
        info!(who = writer.who, command = "indexes", statement, seconds, "done");
        console.say(&format!("{:>9}  {statement}", measured(seconds)));
    }
    Ok(())
}

/// Runs one statement, again where it does not get its lock or loses a deadlock.
///
/// CREATE INDEX on a partitioned table waits for all its writers, and ATTACH PARTITION for all readers and writers of
/// the partition; later statements wait behind them. So they give up soon. CONCURRENTLY only waits for
/// transactions to end and keeps no reader or writer waiting.
async fn make_one(writer: &mut Writer, statement: &str) -> Result<(), Failure> {
    let is_concurrent = statement.contains(" INDEX CONCURRENTLY ");
    let locks = if is_concurrent { Locks::Concurrent } else { Locks::Brief };
    let mut is_first = true;
    let run = async |writer: &mut Writer| {
        if is_concurrent && !std::mem::take(&mut is_first) {
            // The attempt before has left an index that is not valid, and IF NOT EXISTS would take it for made.
            for drop in leftovers(writer).await? {
                writer.run_alone(&drop, Locks::Concurrent).await?;
            }
        }
        writer.run_alone(statement, locks).await
    };
    retried(writer, &TABLES, run).await
}

/// The statements that drop our own indexes that were never finished.
async fn leftovers(writer: &mut Writer) -> Result<Vec<String>, Failure> {
    let schema = writer.schema.name.clone();
    let statement =
        sqlx::query(include_str!("unfinished_indexes.sql")).bind(schema.as_str()).bind(INDEX_PREFIX);
    let rows = writer.fetch_all(statement).await?;
    let drop = |row: &sqlx::postgres::PgRow| {
        let name: String = row.try_get("name")?;
        Ok(format!("DROP INDEX CONCURRENTLY IF EXISTS {}.{};", schema.quoted(), quote_identifier(&name)))
    };
    Ok(rows.iter().map(drop).collect::<Result<_, sqlx::Error>>()?)
}
