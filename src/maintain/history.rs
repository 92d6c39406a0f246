//! `maintain purge history`: old rows of `job_history` and `dag_history` are deleted, in the order of their primary key,
//! the only index that every shape has. Which rows are old is settled before, by the cut-off's place in that order.

use std::time::Instant;

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use sqlx::{AssertSqlSafe, Row};
use tracing::info;

use super::backup;
use super::batches::BatchSize;
use super::estimate::PAUSE;
use super::estimate::{self, ForeignKeys};
use super::plan::count;
use super::retry::{BATCH, retried};
use super::writer::Writer;
use crate::config::Config;
use crate::maintain::args::PurgeHistory;
use crate::postgres::Failure;
use crate::schema::{Need, Schema};
use crate::terminal::columns::{Column, Rows, number, state, text};
use crate::terminal::console::Console;
use crate::terminal::table::{self, Style};

const COLUMNS: &[Column] =
    &[text("queue or planner"), state("state"), number("rows"), text("oldest"), text("newest")];

/// A history, and the question how many of which rows in it are old.
struct History {
    table: &'static str,
    counts: &'static str,
}

const HISTORIES: [History; 2] = [
    History { table: "job_history", counts: include_str!("job_history_counts.sql") },
    History { table: "dag_history", counts: include_str!("dag_history_counts.sql") },
];

impl History {
    /// Returns the statement that counts rows by queue or planner.
    fn counts(&self, schema: &Schema) -> AssertSqlSafe<String> {
        // The oldest databases have no planners.
        let has_planner = !schema.is_missing(&Need::Columns("dag_history", &["planner"]));
        let counts =
            self.counts.replace("planner::text", if has_planner { "planner::text" } else { "null::text" });
        AssertSqlSafe(schema.name.qualify(&counts))
    }

    /// Returns a statement that is the same for both histories.
    fn statement(&self, schema: &Schema, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(schema.name.qualify(&sql.replace("history_table", self.table)))
    }
}

/// Old rows of one history: those before `end` that were written before the cut-off.
struct Old {
    history: History,
    end: i64,
    rows: u64,
}

pub(super) async fn purge(
    config: &Config,
    writer: &mut Writer,
    asked: &PurgeHistory,
    console: &Console,
) -> anyhow::Result<()> {
    writer.begin_reading().await?;
    let cutoff = writer.cutoff(asked.age.older_than).await?;
    console.say(&format!("purge history, as {}: what was written before {cutoff}\n", writer.who));
    let mut histories = Vec::new();
    let here = HISTORIES.iter().filter(|history| !writer.schema.is_missing(&Need::Table(history.table)));
    let rights: Vec<_> =
        here.flat_map(|history| ["SELECT", "DELETE"].map(|right| (history.table, right))).collect();
    let lacking = writer.lacking(&rights).await?;
    if asked.destruction.execution.execute && !lacking.is_empty() {
        return Err(writer.denied(&lacking).into());
    }
    for history in HISTORIES {
        if writer.schema.is_missing(&Need::Table(history.table)) {
            console.say(&format!("There is no table {} here.", history.table));
        } else {
            histories.push(old(writer, history, &cutoff, console).await?);
        }
    }
    writer.roll_back().await?;
    let sum: u64 = histories.iter().map(|old| old.rows).sum();
    if sum == 0 {
        console.say("There is nothing to do.");
        return Ok(());
    }
    console.say(&estimate::duration(sum, 0, asked.batches.batch, Some(ForeignKeys::default())));
    if !asked.destruction.execution.execute {
        console.say("Nothing was changed. Do it with --execute, best with --backup-to FILE.");
        return Ok(());
    }
    if let Some(file) = &asked.destruction.backup_to {
        backup::backup(config, file, console, writer.shutdown()).await?;
    }
    let bar = console.progress(sum);
    for old in &histories {
        let mut done = 0;
        let outcome = take(writer, old, &cutoff, asked.batches.batch, &bar, &mut done).await;
        if !matches!(outcome, Ok(true)) {
            bar.finish_and_clear();
        }
        let table = old.history.table;
        info!(who = writer.who, command = "purge history", table, rows = done, cutoff, "deleted");
        console.say(&format!("{done} of {} rows of {table} deleted, by {}.", old.rows, writer.who));
        let is_whole =
            outcome.with_context(|| format!("purge history stopped in {table}; it can be run again"))?;
        ensure!(is_whole, "purge history was interrupted; run it again for the rest");
    }
    bar.finish_and_clear();
    Ok(())
}

/// Deletes them batch after batch, counting in `done`; false where a signal has ended it.
async fn take(
    writer: &mut Writer,
    old: &Old,
    cutoff: &str,
    batch: u32,
    bar: &ProgressBar,
    done: &mut u64,
) -> Result<bool, Failure> {
    let mut from = i64::MIN;
    let mut size = BatchSize::new(batch);
    loop {
        if writer.is_interrupted() {
            return Ok(false);
        }
        let began = Instant::now();
        let deleted =
            retried(writer, &BATCH, async |writer| delete(writer, old, from, cutoff, size.rows()).await)
                .await;
        if writer.was_cancelled() {
            return Ok(false);
        }
        let Some((last, rows)) = deleted? else { return Ok(true) };
        from = last;
        *done += rows;
        bar.inc(rows);
        size.adapt(began.elapsed());
        writer.pause(began.elapsed().max(PAUSE)).await;
    }
}

/// Finds and counts them, and says which queues' and states' they are.
async fn old(writer: &mut Writer, history: History, cutoff: &str, console: &Console) -> Result<Old, Failure> {
    let end: Option<i64> = writer
        .fetch_one(
            sqlx::query(history.statement(&writer.schema, include_str!("history_end.sql"))).bind(cutoff),
        )
        .await?
        .try_get("history_end")?;
    let end = end.unwrap_or(i64::MIN);
    let counts = writer.fetch_all(sqlx::query(history.counts(&writer.schema)).bind(end).bind(cutoff)).await?;
    let mut table = Rows::default();
    let mut sum = 0;
    for row in counts {
        let rows: i64 = row.try_get("rows")?;
        let text = |column| row.try_get::<Option<String>, _>(column);
        let (of, of_state, oldest, newest) = (text("of")?, text("state")?, text("oldest")?, text("newest")?);
        table.rows.push(vec![of.into(), of_state.into(), rows.into(), oldest.into(), newest.into()]);
        sum += count("rows", rows)?;
    }
    console.say(&format!(
        "{sum} rows of {}\n{}\n",
        history.table,
        table::table(COLUMNS, &table, Style::Plain)
    ));
    Ok(Old { history, end, rows: sum })
}

/// Deletes the next rows behind `from`; returns the last one's id and how many there were, or none.
async fn delete(
    writer: &mut Writer,
    old: &Old,
    from: i64,
    cutoff: &str,
    batch: u32,
) -> Result<Option<(i64, u64)>, Failure> {
    let statement = old.history.statement(&writer.schema, include_str!("history_delete.sql"));
    writer.begin_batch().await?;
    let row = writer
        .fetch_one(sqlx::query(statement).bind(from).bind(old.end).bind(cutoff).bind(i64::from(batch)))
        .await;
    let row = match row {
        Ok(row) => row,
        Err(failure) => {
            // The server would end it as well; the failure is what matters.
            let _ = writer.roll_back().await;
            return Err(failure);
        }
    };
    let Some(last) = row.try_get::<Option<i64>, _>("last")? else {
        writer.roll_back().await?;
        return Ok(None);
    };
    let rows = count("rows", row.try_get("rows")?)?;
    writer.commit().await?;
    Ok(Some((last, rows)))
}
