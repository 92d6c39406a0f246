//! `maintain purge history`: deletes old rows of `job_history` and `dag_history`.
//!
//! Rows are deleted in the order of the primary key, the only index that every shape has. The place of the cut-off in that
//! order is searched first, so that only old rows are read.

use std::time::Instant;

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use sqlx::{AssertSqlSafe, Row};
use tracing::info;

use super::args::PurgeHistoryArgs;
use super::backup;
use super::batch_size::{BatchSize, pause_after};
use super::estimate::{self, ForeignKeyCost};
use super::retry::{BATCH, retry};
use super::session::WriteSession;
use super::tally::to_count;
use crate::config::Config;
use crate::postgres::Failure;
use crate::schema::{Need, Schema};
use crate::terminal::columns::{Column, Rows, number, state, text};
use crate::terminal::console::Console;
use crate::terminal::plural::counted;
use crate::terminal::table::{Style, table};

const COLUMNS: &[Column] =
    &[text("queue or planner"), state("state"), number("rows"), text("oldest"), text("newest")];

/// A history table with the statement that counts its old rows.
struct History {
    table: &'static str,
    counts: &'static str,
}

const HISTORIES: [History; 2] = [
    History { table: "job_history", counts: include_str!("job_history_counts.sql") },
    History { table: "dag_history", counts: include_str!("dag_history_counts.sql") },
];

impl History {
    /// Returns the statement that counts old rows by queue or planner.
    fn counts(&self, schema: &Schema) -> AssertSqlSafe<String> {
        // The shape `old` has no planners.
        let has_planner = !schema.is_missing(&Need::Columns("dag_history", &["planner"]));
        let counts =
            self.counts.replace("planner::text", if has_planner { "planner::text" } else { "null::text" });
        AssertSqlSafe(schema.name.qualify(&counts))
    }

    /// Returns a statement in which `history_table` stands for the table.
    fn statement(&self, schema: &Schema, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(schema.name.qualify(&sql.replace("history_table", self.table)))
    }
}

/// Old rows of one history table: those with a number below `end` that were written before the cut-off.
struct OldRows {
    history: History,
    end: i64,
    count: u64,
}

pub(super) async fn purge(
    config: &Config,
    session: &mut WriteSession,
    args: &PurgeHistoryArgs,
    console: &Console,
) -> anyhow::Result<()> {
    session.begin_read().await?;
    let cutoff = session.cutoff(args.age.older_than).await?;
    let (histories, absent): (Vec<History>, Vec<History>) =
        HISTORIES.into_iter().partition(|history| !session.schema.is_missing(&Need::Table(history.table)));
    let rights: Vec<_> = histories
        .iter()
        .flat_map(|history| ["SELECT", "DELETE"].map(|right| (history.table, right)))
        .collect();
    let missing = session.missing_rights(&rights).await?;
    if args.removal.execution.execute && !missing.is_empty() {
        return Err(session.permission_failure(&missing).into());
    }
    let mut parts = vec![format!("purge history, as {}: what was written before {cutoff}", session.identity)];
    let mut all_old = Vec::new();
    for history in histories {
        let (old, counts) = find_old_rows(session, history, &cutoff).await?;
        parts.push(format!("{} of {}\n{counts}", counted(old.count, "row"), old.history.table));
        all_old.push(old);
    }
    parts.extend(absent.iter().map(|history| format!("The schema has no table {}.", history.table)));
    // The transaction ends before anything is printed, because a paused terminal would keep it open.
    session.roll_back().await?;
    console.say(&(parts.join("\n\n") + "\n"));
    let sum: u64 = all_old.iter().map(|old| old.count).sum();
    if sum == 0 {
        console.say("There is nothing to do.");
        return Ok(());
    }
    console.say(&estimate::describe(sum, 0, args.batch.batch, Some(ForeignKeyCost::default())));
    if !args.removal.execution.execute {
        console.say("Nothing was changed. Do it with --execute, best with --backup-to FILE.");
        return Ok(());
    }
    if let Some(file) = &args.removal.backup_to {
        backup::backup(config, file, console, session.shutdown()).await?;
    }
    let bar = console.progress(sum);
    for old in &all_old {
        let mut deletion = Deletion {
            session,
            old,
            cutoff: &cutoff,
            size: BatchSize::new(args.batch.batch),
            bar: &bar,
            deleted: 0,
        };
        let outcome = deletion.run().await;
        let deleted = deletion.deleted;
        if !matches!(outcome, Ok(true)) {
            bar.finish_and_clear();
        }
        let (who, table) = (&session.identity, old.history.table);
        info!(who, command = "purge history", table, rows = deleted, cutoff, "deleted");
        console.say(&format!("{deleted} of {} of {table} deleted, by {who}.", counted(old.count, "row")));
        let is_complete =
            outcome.with_context(|| format!("purge history stopped in {table}; it can be run again"))?;
        ensure!(is_complete, "purge history was interrupted; run it again for the rest");
    }
    bar.finish_and_clear();
    Ok(())
}

/// Finds and counts the old rows of a table. Returns them with a table of their counts.
async fn find_old_rows(
    session: &mut WriteSession,
    history: History,
    cutoff: &str,
) -> Result<(OldRows, String), Failure> {
    let statement = history.statement(&session.schema, include_str!("history_end.sql"));
    let end: Option<i64> =
        session.fetch_one(sqlx::query(statement).bind(cutoff)).await?.try_get("history_end")?;
    let end = end.unwrap_or(i64::MIN);
    let statement = sqlx::query(history.counts(&session.schema)).bind(end).bind(cutoff);
    let mut rows = Rows::default();
    let mut count = 0;
    for row in session.fetch_all(statement).await? {
        let number: i64 = row.try_get("rows")?;
        let text = |column| row.try_get::<Option<String>, _>(column);
        let (group, state, oldest, newest) =
            (text("queue_or_planner")?, text("state")?, text("oldest")?, text("newest")?);
        rows.rows.push(vec![group.into(), state.into(), number.into(), oldest.into(), newest.into()]);
        count += to_count("rows", number)?;
    }
    Ok((OldRows { history, end, count }, table(COLUMNS, &rows, Style::Plain)))
}

/// Deletes the old rows of one table, batch by batch.
struct Deletion<'a> {
    session: &'a mut WriteSession,
    old: &'a OldRows,
    cutoff: &'a str,
    size: BatchSize,
    bar: &'a ProgressBar,
    /// Rows that were deleted so far, also after a failure.
    deleted: u64,
}

impl Deletion<'_> {
    /// Deletes all rows. Returns false if a signal has ended it.
    async fn run(&mut self) -> Result<bool, Failure> {
        let mut last = i64::MIN;
        loop {
            if self.session.is_interrupted() {
                return Ok(false);
            }
            let began = Instant::now();
            let (old, cutoff, rows) = (self.old, self.cutoff, self.size.rows());
            let deleted = retry(self.session, &BATCH, async |session| {
                delete_batch(session, old, last, cutoff, rows).await
            })
            .await;
            if self.session.was_cancelled() {
                return Ok(false);
            }
            let Some(batch) = deleted? else { return Ok(true) };
            last = batch.last;
            self.deleted += batch.rows;
            self.bar.inc(batch.rows);
            self.size.adapt(began.elapsed());
            self.session.pause(pause_after(began.elapsed())).await;
        }
    }
}

struct DeletedBatch {
    /// Number of the last row that was deleted.
    last: i64,
    rows: u64,
}

/// Deletes the next rows after the number `after`. Returns `None` if there are no more.
async fn delete_batch(
    session: &mut WriteSession,
    old: &OldRows,
    after: i64,
    cutoff: &str,
    rows: u32,
) -> Result<Option<DeletedBatch>, Failure> {
    let statement = old.history.statement(&session.schema, include_str!("history_delete.sql"));
    session.begin_batch().await?;
    let statement = sqlx::query(statement).bind(after).bind(old.end).bind(cutoff).bind(i64::from(rows));
    let row = match session.fetch_one(statement).await {
        Ok(row) => row,
        Err(failure) => {
            // Report the original failure. If the rollback fails too, the server rolls back by itself.
            let _ = session.roll_back().await;
            return Err(failure);
        }
    };
    let Some(last) = row.try_get::<Option<i64>, _>("last")? else {
        session.roll_back().await?;
        return Ok(None);
    };
    let rows = to_count("rows", row.try_get("rows")?)?;
    session.commit().await?;
    Ok(Some(DeletedBatch { last, rows }))
}
