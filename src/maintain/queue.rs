//! `maintain queue create` and `maintain queue set`. Marie's `create_queue` ignores the options of a queue that exists, and
//! says nothing; here that is refused.

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Row};
use tracing::info;

use super::retry::{TABLES, changed};
use super::writer::Writer;
use crate::maintain::args::Queue;
use crate::postgres::{Failure, Reason};
use crate::schema::Need;
use crate::terminal::console::Console;
use crate::terminal::escape::{MESSAGE_LIMIT, escaped};

/// What the gateway makes of it.
const JOBS_HAVE_THEIR_OWN: &str =
    "Jobs that are there already keep their limits, and so do the gateway's, which bring theirs along.";

pub(super) async fn create(writer: &mut Writer, asked: &Queue, console: &Console) -> anyhow::Result<()> {
    ensure_queues(writer)?;
    writer.begin_reading().await?;
    ensure_function(writer).await?;
    writer.roll_back().await?;
    if look(writer, &asked.name).await?.is_some() {
        bail!("there is a queue {} already; change it with maintain queue set", asked.name);
    }
    let options = Value::Object(options(asked));
    if !asked.execution.execute {
        console.say(&format!("queue create {}, as {}: with {options}", asked.name, writer.who));
        console.say("Nothing was changed. Do it with --execute.");
        return Ok(());
    }
    let statement = writer.schema.name.qualify(include_str!("queue_create.sql"));
    let text = options.to_string();
    // Where each queue has a partition, this waits for all that write to jobs and DAGs, and others behind it.
    changed(writer, &TABLES, async |writer: &mut Writer| {
        // Another role may have replaced it meanwhile.
        ensure_function(writer).await?;
        let statement = AssertSqlSafe(statement.clone());
        writer.execute(sqlx::query(statement).bind(&asked.name).bind(&text)).await
    })
    .await
    .context("cannot make the queue")?;
    let made = look(writer, &asked.name).await?;
    let made = made.with_context(|| format!("create_queue has not made the queue {}", asked.name))?;
    info!(who = writer.who, command = "queue create", queue = asked.name, %options, "made");
    console.say(&format!("The queue {} is made, by {}: {}", asked.name, writer.who, Value::Object(made)));
    console.say(JOBS_HAVE_THEIR_OWN);
    Ok(())
}

pub(super) async fn set(writer: &mut Writer, asked: &Queue, console: &Console) -> anyhow::Result<()> {
    let options = options(asked);
    if options.is_empty() {
        bail!(
            "nothing to set; give at least one of --retry-limit, --retry-delay, --retry-backoff, --expire-seconds, --retention-minutes"
        );
    }
    ensure_queues(writer)?;
    let Some(before) = look(writer, &asked.name).await? else {
        bail!("there is no queue {}; make it with maintain queue create", asked.name);
    };
    let changes: Vec<String> = options
        .iter()
        .map(|(name, value)| format!("  {name}: {} → {value}", before.get(name).unwrap_or(&Value::Null)))
        .collect();
    console.say(&format!("queue set {}, as {}:\n{}", asked.name, writer.who, changes.join("\n")));
    if !asked.execution.execute {
        console.say("Nothing was changed. Do it with --execute.");
        return Ok(());
    }
    let statement = writer.schema.name.qualify(include_str!("queue_set.sql"));
    let done = changed(writer, &TABLES, async |writer: &mut Writer| {
        let statement = sqlx::query(AssertSqlSafe(statement.clone()))
            .bind(&asked.name)
            .bind(asked.retry_limit)
            .bind(asked.retry_delay)
            .bind(asked.retry_backoff)
            .bind(asked.expire_seconds)
            .bind(asked.retention_minutes);
        writer.execute(statement).await
    });
    let done = done.await.context("cannot change the queue")?;
    ensure!(done.rows_affected() == 1, "the queue {} is gone; nothing was changed", asked.name);
    let options = Value::Object(options);
    info!(who = writer.who, command = "queue set", queue = asked.name, %options, "changed");
    console.say(&format!("Changed, by {}. {JOBS_HAVE_THEIR_OWN}", writer.who));
    Ok(())
}

/// Refuses a database without a table of queues.
fn ensure_queues(writer: &Writer) -> anyhow::Result<()> {
    match writer.schema.lack(&Need::Table("queue")) {
        None => Ok(()),
        Some(lack) => {
            bail!("cannot read the table queue: {lack} in the schema {}", writer.schema.name.quoted())
        }
    }
}

/// Refuses to run a function of a role that is not trusted.
async fn ensure_function(writer: &mut Writer) -> Result<(), Failure> {
    let name = writer.schema.name.clone();
    let statement = sqlx::query(include_str!("queue_function.sql")).bind(name.as_str());
    let Some(row) = writer.fetch_optional(statement).await? else {
        let message =
            format!("there is no function create_queue(text, json) in the schema {}", name.quoted());
        return Err(Failure::new(Reason::Other, message));
    };
    if !row.try_get::<bool, _>("is_trusted")? {
        let owner = escaped(row.try_get("owner")?, MESSAGE_LIMIT);
        let message = format!(
            "the function create_queue belongs to {owner}, who owns neither the schema nor its table job and is no \
             superuser. It would run with your rights. Give it to the owner of job"
        );
        return Err(Failure::new(Reason::Other, message));
    }
    Ok(())
}

/// Those that were given, by the names of their columns, which are also those of `create_queue`'s options.
fn options(asked: &Queue) -> Map<String, Value> {
    let all = [
        ("retry_limit", asked.retry_limit.map(Value::from)),
        ("retry_delay", asked.retry_delay.map(Value::from)),
        ("retry_backoff", asked.retry_backoff.map(Value::from)),
        ("expire_seconds", asked.expire_seconds.map(Value::from)),
        ("retention_minutes", asked.retention_minutes.map(Value::from)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A queue's settings, if there is such a queue. No lock is held afterwards.
async fn look(writer: &mut Writer, queue: &str) -> Result<Option<Map<String, Value>>, anyhow::Error> {
    writer.begin_reading().await?;
    let statement = sqlx::query(writer.schema.name.statement(include_str!("queue_settings.sql"))).bind(queue);
    let row = writer.fetch_optional(statement).await.context("cannot read the table queue")?;
    writer.roll_back().await?;
    row.map(|row| Ok(serde_json::from_str(&row.try_get::<String, _>("settings")?)?)).transpose()
}
