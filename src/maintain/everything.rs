//! `maintain purge all`: the tables of jobs, DAGs, their histories and the workers' state are emptied. The maintenance
//! page's TRUNCATE is stopped by foreign keys; here all tables that refer to each other are named in one statement, so
//! that it is done to all of them or to none, and to no table that was not named before.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use sqlx::{AssertSqlSafe, Row};
use tokio::sync::watch;
use tracing::info;

use super::backup;
use super::batches::pause;
use super::console::Console;
use super::plan::{Part, Plan};
use super::report;
use super::writer::Writer;
use crate::config::{Config, Destruction, quote_identifier};
use crate::database::{Failure, Reason};
use crate::display_text::escaped;
use crate::shutdown::ends;

/// TRUNCATE waits for every reader of a table, and everybody behind it: it gives up soon, and comes back.
const ATTEMPTS: u32 = 10;

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

/// What is left to those who have waited behind it.
const BETWEEN: Duration = Duration::from_secs(1);

pub(super) async fn purge(
    config: &Config,
    writer: &mut Writer,
    asked: &Destruction,
    console: &Console,
    mut shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let schema = &config.database.schema;
    writer.begin_reading().await?;
    let tables = tables(writer, schema.as_str()).await?;
    let mut lines = Vec::new();
    for table in &tables {
        let statement = AssertSqlSafe(format!("select count(*) from {table}"));
        let rows: i64 = writer.fetch_one(sqlx::query(statement)).await?.try_get(0)?;
        lines.push(format!("  {rows:>12}  {}", escaped(table, 200)));
    }
    let jobs = jobs(writer).await?;
    let rights: Vec<(&str, &str)> = tables.iter().map(|table| (table.as_str(), "TRUNCATE")).collect();
    let lacking = writer.lacking(&rights).await?;
    if asked.execution.execute && !lacking.is_empty() {
        return Err(writer.denied(&lacking).into());
    }
    writer.roll_back().await?;

    console.say(&format!(
        "purge all, as {}: every row of these tables\n\n{}\n",
        writer.who,
        lines.join("\n")
    ));
    console.say(&report::plan(&jobs));
    if !asked.execution.execute {
        console.say("Nothing was changed. Do it with --execute, best with --backup-to FILE.");
        return Ok(());
    }
    let question = format!("This cannot be undone. Type the schema's name, {}, to go on:", schema.as_str());
    let answer = tokio::select! {
        answer = console.ask(&question) => answer.context("cannot read the answer")?,
        () = ends(&mut shutdown) => bail!("interrupted; nothing was changed"),
    };
    if answer.as_deref() != Some(schema.as_str()) {
        bail!("that is not the schema's name; nothing was changed");
    }
    if let Some(file) = &asked.backup_to {
        backup::backup(config, file, console).await?;
    }
    truncate(writer, &tables, &mut shutdown).await.context("purge all: nothing was changed")?;
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
    for row in
        writer.fetch_all(sqlx::query(writer.schema.name.statement(include_str!("all_jobs.sql")))).await?
    {
        let jobs = u64::try_from(row.try_get::<i64, _>("jobs")?).unwrap_or_default();
        let part = Part { jobs, oldest: row.try_get("oldest")?, newest: row.try_get("newest")? };
        plan.parts.insert((row.try_get("queue")?, row.try_get("state")?), part);
    }
    Ok(plan)
}

async fn truncate(
    writer: &mut Writer,
    tables: &[String],
    shutdown: &mut watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let statement = format!("truncate {}", tables.join(", "));
    for attempt in 1.. {
        ensure!(!*shutdown.borrow(), "interrupted");
        writer.begin_change().await?;
        let outcome = writer.execute(sqlx::raw_sql(AssertSqlSafe(statement.clone()))).await;
        let Err(failure) = outcome else { break };
        writer.roll_back().await?;
        if !matches!(failure.reason, Reason::Lock | Reason::Conflict) || attempt == ATTEMPTS {
            return Err(failure.into());
        }
        info!(attempt, message = failure.message, "somebody holds a table; trying again");
        pause(BETWEEN, shutdown).await;
    }
    Ok(writer.commit().await?)
}
