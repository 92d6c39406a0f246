//! `maintain purge all`: the tables of jobs, DAGs, their histories and the workers' state are emptied, in one
//! transaction, with every table whose rows cannot stay without them. The maintenance page's TRUNCATE is stopped by
//! foreign keys. Rows that a delete would keep are kept: their references are emptied first (`keepers`).

use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::{AssertSqlSafe, Row};
use tracing::info;

use super::backup;
use super::keepers::{self, Keeper};
use super::plan::{Part, Plan, count};
use super::report;
use super::retry::{TABLES, changed};
use super::writer::Writer;
use crate::config::{Config, quote_identifier};
use crate::maintain::args::Destruction;
use crate::postgres::{Failure, Reason};
use crate::terminal::console::Console;
use crate::terminal::escape::escaped;

/// How long the locks on all tables may take together. Each lock has a time-out of its own, but those that are
/// already held keep others waiting meanwhile.
const LOCKS_TIMEOUT: Duration = Duration::from_millis(500);

/// How long each statement may take once all tables are locked.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(30);

/// The tables that are emptied, as far as they are here. The archive is not among them.
const TABLES_OF_JOBS: [&str; 8] = [
    "job",
    "job_history",
    "job_dependencies",
    "job_attempt",
    "dag",
    "dag_history",
    "kv_store_worker",
    "kv_store_worker_history",
];

pub(super) async fn purge(
    config: &Config,
    writer: &mut Writer,
    asked: &Destruction,
    console: &Console,
) -> anyhow::Result<()> {
    let schema = &config.database.schema;
    writer.begin_reading().await?;
    let tables = tables(writer, schema.as_str()).await?;
    let keepers = keepers::read(writer, &TABLES_OF_JOBS).await?;
    let mut lines = Vec::new();
    for table in &tables {
        let statement = AssertSqlSafe(format!("select count(*) from {table}"));
        let rows: i64 = writer.fetch_one(sqlx::query(statement)).await?.try_get(0)?;
        lines.push(format!("  {rows:>12}  {}", escaped(table, 200)));
    }
    let jobs = jobs(writer).await?;
    let mut rights: Vec<(&str, &str)> = tables.iter().map(|table| (table.as_str(), "TRUNCATE")).collect();
    rights.extend(keepers.iter().map(|keeper| (keeper.table.as_str(), "UPDATE")));
    let mut lacking = writer.lacking(&rights).await?;
    lacking.extend(keepers.iter().filter(|keeper| !keeper.is_owned).map(Keeper::ownership));
    if asked.execution.execute && !lacking.is_empty() {
        return Err(writer.denied(&lacking).into());
    }
    writer.roll_back().await?;

    console.say(&format!(
        "purge all, as {}: every row of these tables\n\n{}\n",
        writer.who,
        lines.join("\n")
    ));
    if !keepers.is_empty() {
        let mut names: Vec<String> = keepers.iter().map(|keeper| escaped(&keeper.table, 200)).collect();
        names.dedup();
        console.say(&format!("Rows that stay, without their reference: all of {}.\n", names.join(", ")));
    }
    console.say(&report::jobs(&jobs));
    console.say(&format!("In all {} jobs.", jobs.jobs()));
    if !asked.execution.execute {
        console.say("Nothing was changed. Do it with --execute, best with --backup-to FILE.");
        return Ok(());
    }
    let question = format!("This cannot be undone. Type the schema's name, {}, to go on:", schema.as_str());
    let answer = tokio::select! {
        answer = console.ask(&question) => answer.context("cannot read the answer")?,
        () = writer.interrupted() => bail!("interrupted; nothing was changed"),
    };
    if answer.as_deref() != Some(schema.as_str()) {
        bail!("that is not the schema's name; nothing was changed");
    }
    if let Some(file) = &asked.backup_to {
        backup::backup(config, file, console, writer.shutdown()).await?;
    }
    keepers::release(writer, &keepers).await.context("purge all: no row was deleted")?;
    let emptied =
        changed(writer, &TABLES, async |writer: &mut Writer| truncate(writer, &tables, &keepers).await);
    emptied.await.context("purge all: no row was deleted")?;
    info!(who = writer.who, command = "purge all", jobs = jobs.jobs(), tables = tables.join(", "), "emptied");
    console.say(&format!("{} tables emptied, of {} jobs, by {}.", tables.len(), jobs.jobs(), writer.who));
    Ok(())
}

/// Quoted, with their schema.
async fn tables(writer: &mut Writer, schema: &str) -> Result<Vec<String>, Failure> {
    let used = writer.schema.used(&TABLES_OF_JOBS);
    let statement = sqlx::query(include_str!("tables_of_jobs.sql")).bind(schema).bind(used);
    let rows = writer.fetch_all(statement).await?;
    let table = |row: &sqlx::postgres::PgRow| {
        let name = |column| row.try_get::<String, _>(column).map(|name| quote_identifier(&name));
        Ok(format!("{}.{}", name("schema_name")?, name("table_name")?))
    };
    Ok(rows.iter().map(table).collect::<Result<_, sqlx::Error>>()?)
}

async fn jobs(writer: &mut Writer) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    let statement = sqlx::query(writer.schema.name.statement(include_str!("all_jobs.sql")));
    for row in writer.fetch_all(statement).await? {
        let jobs = count("jobs", row.try_get("jobs")?)?;
        let part = Part { jobs, oldest: row.try_get("oldest")?, newest: row.try_get("newest")? };
        plan.parts.insert((row.try_get("queue")?, row.try_get("state")?), part);
    }
    Ok(plan)
}

/// Empties the tables in the open transaction. Readers and writers wait from the first lock to the commit,
/// so all locks are taken first.
async fn truncate(writer: &mut Writer, tables: &[String], keepers: &[Keeper]) -> Result<(), Failure> {
    let locked: Vec<&str> =
        tables.iter().chain(keepers.iter().map(|keeper| &keeper.table)).map(String::as_str).collect();
    let limit = |time: u128| AssertSqlSafe(format!("set local statement_timeout = {time}"));
    writer.execute(sqlx::raw_sql(limit(LOCKS_TIMEOUT.as_millis()))).await?;
    let lock = format!("lock table {} in access exclusive mode", locked.join(", "));
    writer.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await.map_err(|failure| match failure.reason {
        Reason::Timeout if !writer.was_cancelled() => Failure { reason: Reason::Lock, ..failure },
        _ => failure,
    })?;
    writer.execute(sqlx::raw_sql(limit(EMPTY_TIMEOUT.as_millis()))).await?;
    for statement in keepers.iter().flat_map(Keeper::before) {
        writer.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    }
    let truncate = format!("truncate {}", tables.join(", "));
    writer.execute(sqlx::raw_sql(AssertSqlSafe(truncate))).await?;
    for keeper in keepers {
        writer.execute(sqlx::raw_sql(AssertSqlSafe(keeper.after()))).await?;
    }
    Ok(())
}
