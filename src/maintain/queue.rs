//! `maintain queue create` and `maintain queue set`. Marie's `create_queue` ignores the options of a queue that exists, and
//! says nothing; here that is refused.

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use sqlx::Row;
use tracing::info;

use super::console::Console;
use super::writer::Writer;
use crate::config::Queue;
use crate::display_text::{MESSAGE_LIMIT, escaped};
use crate::schema::Need;

/// What the gateway makes of it.
const JOBS_HAVE_THEIR_OWN: &str =
    "Jobs that are there already keep their limits, and so do the gateway's, which bring theirs along.";

pub(super) async fn create(writer: &mut Writer, asked: &Queue, console: &Console) -> anyhow::Result<()> {
    ensure_queues(writer)?;
    writer.begin_change().await?;
    ensure_function(writer).await?;
    if settings(writer, &asked.name).await?.is_some() {
        bail!("there is a queue {} already; change it with maintain queue set", asked.name);
    }
    let options = Value::Object(options(asked));
    let plan = format!("queue create {}, as {}: with {options}", asked.name, writer.who);
    if !asked.execution.execute {
        console.say(&plan);
        console.say("Nothing was changed. Do it with --execute.");
        return Ok(());
    }
    writer
        .execute(
            sqlx::query(writer.schema.name.statement(include_str!("queue_create.sql")))
                .bind(&asked.name)
                .bind(options.to_string()),
        )
        .await
        .context("cannot make the queue")?;
    let made = settings(writer, &asked.name).await?;
    writer.commit().await?;
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
    writer.begin_change().await?;
    let Some(before) = settings(writer, &asked.name).await? else {
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
    writer
        .execute(
            sqlx::query(writer.schema.name.statement(include_str!("queue_set.sql")))
                .bind(&asked.name)
                .bind(asked.retry_limit)
                .bind(asked.retry_delay)
                .bind(asked.retry_backoff)
                .bind(asked.expire_seconds)
                .bind(asked.retention_minutes),
        )
        .await
        .context("cannot change the queue")?;
    writer.commit().await?;
    let options = Value::Object(options);
    info!(who = writer.who, command = "queue set", queue = asked.name, %options, "changed");
    console.say(&format!("Changed, by {}. {JOBS_HAVE_THEIR_OWN}", writer.who));
    Ok(())
}

/// Refuses a database without a table of queues.
fn ensure_queues(writer: &Writer) -> anyhow::Result<()> {
    match writer.schema.lacks(&Need::Table("queue")) {
        None => Ok(()),
        Some(lack) => {
            bail!("cannot read the table queue: {lack} in the schema {}", writer.schema.name.quoted())
        }
    }
}

/// Refuses to run a function of a role that is not trusted.
async fn ensure_function(writer: &mut Writer) -> anyhow::Result<()> {
    let name = writer.schema.name.clone();
    let statement = sqlx::query(include_str!("queue_function.sql")).bind(name.as_str());
    let Some(row) = writer.fetch_optional(statement).await? else {
        bail!("there is no function create_queue(text, json) in the schema {}", name.quoted());
    };
    if !row.try_get::<bool, _>("is_trusted")? {
        let owner = escaped(row.try_get("owner")?, MESSAGE_LIMIT);
        bail!(
            "the function create_queue belongs to {owner}, who owns neither the schema nor its table job and is no \
             superuser. It would run with your rights. Give it to the owner of job"
        );
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

/// A queue's settings, none where there is no such queue; the row is held.
async fn settings(writer: &mut Writer, queue: &str) -> Result<Option<Map<String, Value>>, anyhow::Error> {
    let row = writer
        .fetch_optional(
            sqlx::query(writer.schema.name.statement(include_str!("queue_settings.sql"))).bind(queue),
        )
        .await
        .context("cannot read the table queue")?;
    row.map(|row| Ok(serde_json::from_str(&row.try_get::<String, _>("settings")?)?)).transpose()
}
