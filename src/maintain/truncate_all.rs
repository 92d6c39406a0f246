//! `maintain purge all`: empties the tables of jobs, DAGs, their histories and the workers' state, in one transaction.
//!
//! Tables whose rows cannot exist without these are emptied too. Rows that only lose their reference are kept; see
//! [`detaching_keys`]. The maintenance page's plain TRUNCATE fails on such foreign keys.

use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::{AssertSqlSafe, Row};
use tracing::info;

use super::args::RemovalArgs;
use super::backup;
use super::detaching_keys::{self, DetachingKey};
use super::foreign_keys::table_name;
use super::plan_text::tally_table;
use super::retry::{TABLES, change_with_retries};
use super::session::WriteSession;
use super::tally::{JobCount, Tally, to_count};
use crate::config::Config;
use crate::postgres::{Failure, Reason};
use crate::terminal::console::Console;
use crate::terminal::escape::escaped;

/// Time limit for locking all tables. Each lock has its own time-out, but other sessions wait for the locks that are
/// already held.
const LOCKS_TIMEOUT: Duration = Duration::from_millis(500);

/// Time limit of each statement after all tables are locked.
const TRUNCATE_TIMEOUT: Duration = Duration::from_secs(30);

/// Tables that are emptied, as far as the schema has them. The archive is kept.
const TRUNCATED: [&str; 8] = [
    "job",
    "job_history",
    "job_dependencies",
    "job_attempt",
    "dag",
    "dag_history",
    "kv_store_worker",
    "kv_store_worker_history",
];

/// What `purge all` will do.
struct Target {
    /// Tables to empty, quoted, with their schema, each with its number of rows.
    tables: Vec<(String, i64)>,
    /// Foreign keys whose rows are kept.
    keys: Vec<DetachingKey>,
    jobs: Tally,
    /// Rights that the role lacks.
    missing_rights: Vec<String>,
}

pub(super) async fn purge(
    config: &Config,
    session: &mut WriteSession,
    args: &RemovalArgs,
    console: &Console,
) -> anyhow::Result<()> {
    let schema = config.database.schema.as_str();
    session.begin_read().await?;
    let target = read_target(session, schema).await?;
    if args.execution.execute && !target.missing_rights.is_empty() {
        return Err(session.permission_failure(&target.missing_rights).into());
    }
    // The transaction ends before anything is printed, because a paused terminal would keep it open.
    session.roll_back().await?;
    print_target(session, &target, console);
    if !args.execution.execute {
        console.say("Nothing was changed. Do it with --execute, best with --backup-to FILE.");
        return Ok(());
    }
    let question = format!("This cannot be undone. Type the schema's name, {schema}, to go on:");
    let shutdown = session.shutdown();
    let answer = tokio::select! {
        answer = console.ask(&question) => answer.context("cannot read the answer")?,
        () = shutdown.cancelled() => bail!("interrupted; nothing was changed"),
    };
    if answer.as_deref() != Some(schema) {
        bail!("that is not the schema's name; nothing was changed");
    }
    if let Some(file) = &args.backup_to {
        backup::backup(config, file, console, session.shutdown()).await?;
    }
    detaching_keys::detach(session, &target.keys).await.context("purge all: no row was deleted")?;
    let tables: Vec<&str> = target.tables.iter().map(|(table, _)| table.as_str()).collect();
    let truncated = change_with_retries(session, &TABLES, async |session: &mut WriteSession| {
        truncate(session, &tables, &target.keys).await
    });
    truncated.await.context("purge all: no row was deleted")?;
    let (who, jobs) = (&session.identity, target.jobs.jobs());
    info!(who, command = "purge all", jobs, tables = tables.join(", "), "emptied");
    console.say(&format!("{} tables emptied, of {jobs} jobs, by {who}.", tables.len()));
    Ok(())
}

async fn read_target(session: &mut WriteSession, schema: &str) -> Result<Target, Failure> {
    let used = session.schema.used(&TRUNCATED);
    let statement = sqlx::query(include_str!("truncated_tables.sql")).bind(schema).bind(used);
    let mut tables = Vec::new();
    for row in session.fetch_all(statement).await? {
        let table = table_name(&row)?;
        let statement = AssertSqlSafe(format!("select count(*) as rows from {table}"));
        let rows = session.fetch_one(sqlx::query(statement)).await?.try_get("rows")?;
        tables.push((table, rows));
    }
    let keys = detaching_keys::read(session, &TRUNCATED).await?;
    let mut jobs = Tally::default();
    let statement = sqlx::query(session.schema.name.statement(include_str!("count_jobs.sql")));
    for row in session.fetch_all(statement).await? {
        let count = to_count("jobs", row.try_get("jobs")?)?;
        let count = JobCount { jobs: count, oldest: row.try_get("oldest")?, newest: row.try_get("newest")? };
        jobs.add(row.try_get("queue")?, row.try_get("state")?, count);
    }
    let mut rights: Vec<(&str, &str)> =
        tables.iter().map(|(table, _)| (table.as_str(), "TRUNCATE")).collect();
    rights.extend(keys.iter().map(|key| (key.table.as_str(), "UPDATE")));
    let mut missing_rights = session.missing_rights(&rights).await?;
    missing_rights.extend(keys.iter().filter(|key| !key.is_owned).map(DetachingKey::missing_ownership));
    Ok(Target { tables, keys, jobs, missing_rights })
}

fn print_target(session: &WriteSession, target: &Target, console: &Console) {
    let lines: Vec<String> =
        target.tables.iter().map(|(table, rows)| format!("  {rows:>12}  {}", escaped(table, 200))).collect();
    console.say(&format!(
        "purge all, as {}: every row of these tables\n\n{}\n",
        session.identity,
        lines.join("\n")
    ));
    if !target.keys.is_empty() {
        let mut names: Vec<String> = target.keys.iter().map(|key| escaped(&key.table, 200)).collect();
        names.dedup();
        console.say(&format!("Rows that stay, without their reference: all of {}.\n", names.join(", ")));
    }
    console.say(&tally_table(&target.jobs));
    console.say(&format!("In all {} jobs.", target.jobs.jobs()));
}

/// Empties the tables in the open transaction.
///
/// Readers and writers wait from the first lock to the commit, so all locks are taken first.
async fn truncate(session: &mut WriteSession, tables: &[&str], keys: &[DetachingKey]) -> Result<(), Failure> {
    let locked: Vec<&str> = tables.iter().copied().chain(keys.iter().map(|key| key.table.as_str())).collect();
    let time_limit = |time: Duration| {
        sqlx::raw_sql(AssertSqlSafe(format!("set local statement_timeout = {}", time.as_millis())))
    };
    session.execute(time_limit(LOCKS_TIMEOUT)).await?;
    let lock = format!("lock table {} in access exclusive mode", locked.join(", "));
    session.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await.map_err(|failure| match failure.reason {
        Reason::Timeout if !session.was_cancelled() => Failure { reason: Reason::Lock, ..failure },
        _ => failure,
    })?;
    session.execute(time_limit(TRUNCATE_TIMEOUT)).await?;
    for statement in keys.iter().flat_map(DetachingKey::drop_statements) {
        session.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    }
    let truncate = format!("truncate {}", tables.join(", "));
    session.execute(sqlx::raw_sql(AssertSqlSafe(truncate))).await?;
    for key in keys {
        session.execute(sqlx::raw_sql(AssertSqlSafe(key.create_statement()))).await?;
    }
    Ok(())
}
