//! `maintain indexes`: what `check` recommends, made while everybody reads and writes. An index that an interrupted run left
//! unfinished is of no use to anybody and is made anew.

use anyhow::{Context, bail};
use sqlx::Row;
use tokio::sync::watch;
use tracing::info;

use super::console::Console;
use super::writer::Writer;
use crate::check::{self, INDEX_PREFIX};
use crate::config::{Config, quote_identifier};
use crate::database::Failure;
use crate::shutdown::ends;

pub(super) async fn make(
    config: &Config,
    writer: &mut Writer,
    execute: bool,
    console: &Console,
    mut shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let report = check::check(config).await;
    if let Some(error) = report.error {
        bail!(error);
    }
    let leftovers = leftovers(writer, config).await?;
    let drops = leftovers.iter().map(|index| format!("DROP INDEX CONCURRENTLY {index};"));
    let creations = report.advice.iter().flat_map(|advice| advice.sql.lines().map(str::to_owned));
    let statements: Vec<String> = drops.chain(creations).collect();
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
        let began = std::time::Instant::now();
        let context = || {
            format!("{statement}\nIt can be run again: what is made stays, what is half made is made anew")
        };
        tokio::select! {
            done = writer.alone(statement) => done.with_context(context)?,
            // The server ends the statement when it notices that nobody waits for it.
            () = ends(&mut shutdown) => bail!("interrupted in {}", context()),
        };
        let seconds = began.elapsed().as_secs_f64();
        info!(who = writer.who, command = "indexes", statement, seconds, "done");
        console.say(&format!("{seconds:7.1} s  {statement}"));
    }
    Ok(())
}

/// Our own indexes that were never finished, quoted, with their schema.
async fn leftovers(writer: &mut Writer, config: &Config) -> Result<Vec<String>, Failure> {
    let schema = &config.database.schema;
    let rows = writer
        .fetch_all(
            sqlx::query(include_str!("unfinished_indexes.sql")).bind(schema.as_str()).bind(INDEX_PREFIX),
        )
        .await?;
    let name = |row: &sqlx::postgres::PgRow| {
        let name: String = row.try_get("name")?;
        Ok(format!("{}.{}", schema.quoted(), quote_identifier(&name)))
    };
    Ok(rows.iter().map(name).collect::<Result<_, sqlx::Error>>()?)
}
