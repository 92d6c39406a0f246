//! `maintain queue create` and `maintain queue set`.
//!
//! Both refuse what would have no effect. Marie's `create_queue` silently ignores the options of a queue that exists.

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Row};
use tracing::info;

use super::args::QueueArgs;
use super::retry::{TABLES, change_with_retries};
use super::session::WriteSession;
use crate::postgres::{Failure, Reason};
use crate::schema::Need;
use crate::terminal::console::Console;
use crate::terminal::escape::{MESSAGE_LIMIT, escaped};

/// Printed after a change, because users expect existing jobs to change too.
const JOBS_KEEP_SETTINGS: &str = "Existing jobs keep their settings. Jobs from the gateway bring their own.";

pub(super) async fn create(
    session: &mut WriteSession,
    args: &QueueArgs,
    console: &Console,
) -> anyhow::Result<()> {
    ensure_queue_table(session)?;
    session.begin_read().await?;
    ensure_trusted_function(session).await?;
    session.roll_back().await?;
    if read_settings(session, &args.name).await?.is_some() {
        bail!("there is a queue {} already; change it with maintain queue set", args.name);
    }
    let options = Value::Object(options(args));
    if !args.execution.execute {
        console.say(&format!("queue create {}, as {}: with {options}", args.name, session.identity));
        console.say("Nothing was changed. Do it with --execute.");
        return Ok(());
    }
    let statement = session.schema.name.qualify(include_str!("queue_create.sql"));
    let text = options.to_string();
    // With a partition for each queue this waits for all writers of jobs and DAGs, and later writers wait behind it.
    change_with_retries(session, &TABLES, async |session: &mut WriteSession| {
        // Another role may have replaced the function since the first check.
        ensure_trusted_function(session).await?;
        let statement = AssertSqlSafe(statement.clone());
        session.execute(sqlx::query(statement).bind(&args.name).bind(&text)).await
    })
    .await
    .context("cannot make the queue")?;
    let created = read_settings(session, &args.name).await?;
    let created = created.with_context(|| format!("create_queue has not made the queue {}", args.name))?;
    let who = &session.identity;
    info!(who, command = "queue create", queue = args.name, %options, "made");
    console.say(&format!("The queue {} is made, by {who}: {}", args.name, Value::Object(created)));
    console.say(JOBS_KEEP_SETTINGS);
    Ok(())
}

pub(super) async fn set(
    session: &mut WriteSession,
    args: &QueueArgs,
    console: &Console,
) -> anyhow::Result<()> {
    let options = options(args);
    if options.is_empty() {
        bail!(
            "nothing to set; give at least one of --retry-limit, --retry-delay, --retry-backoff, --expire-seconds, --retention-minutes"
        );
    }
    ensure_queue_table(session)?;
    let Some(before) = read_settings(session, &args.name).await? else {
        bail!("there is no queue {}; make it with maintain queue create", args.name);
    };
    let changes: Vec<String> = options
        .iter()
        .map(|(name, value)| format!("  {name}: {} → {value}", before.get(name).unwrap_or(&Value::Null)))
        .collect();
    console.say(&format!("queue set {}, as {}:\n{}", args.name, session.identity, changes.join("\n")));
    if !args.execution.execute {
        console.say("Nothing was changed. Do it with --execute.");
        return Ok(());
    }
    let statement = session.schema.name.qualify(include_str!("queue_set.sql"));
    let result = change_with_retries(session, &TABLES, async |session: &mut WriteSession| {
        let statement = sqlx::query(AssertSqlSafe(statement.clone()))
            .bind(&args.name)
            .bind(args.retry_limit)
            .bind(args.retry_delay)
            .bind(args.retry_backoff)
            .bind(args.expire_seconds)
            .bind(args.retention_minutes);
        session.execute(statement).await
    });
    let result = result.await.context("cannot change the queue")?;
    ensure!(result.rows_affected() == 1, "the queue {} is gone; nothing was changed", args.name);
    let (who, options) = (&session.identity, Value::Object(options));
    info!(who, command = "queue set", queue = args.name, %options, "changed");
    console.say(&format!("Changed, by {who}. {JOBS_KEEP_SETTINGS}"));
    Ok(())
}

/// Checks that the schema has a table of queues.
fn ensure_queue_table(session: &WriteSession) -> anyhow::Result<()> {
    match session.schema.lack(&Need::Table("queue")) {
        None => Ok(()),
        Some(lack) => {
            bail!("cannot read the table queue: {lack} in the schema {}", session.schema.name.quoted())
        }
    }
}

/// Checks that `create_queue` exists and that its owner is trusted.
async fn ensure_trusted_function(session: &mut WriteSession) -> Result<(), Failure> {
    let name = session.schema.name.clone();
    let statement = sqlx::query(include_str!("queue_function.sql")).bind(name.as_str());
    let Some(row) = session.fetch_optional(statement).await? else {
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

/// Returns the settings of the command line by column of the table queue. The options of `create_queue` have the same
/// names.
fn options(args: &QueueArgs) -> Map<String, Value> {
    let options = [
        ("retry_limit", args.retry_limit.map(Value::from)),
        ("retry_delay", args.retry_delay.map(Value::from)),
        ("retry_backoff", args.retry_backoff.map(Value::from)),
        ("expire_seconds", args.expire_seconds.map(Value::from)),
        ("retention_minutes", args.retention_minutes.map(Value::from)),
    ];
    options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Returns the settings of a queue, or `None` if there is no such queue. Uses its own transaction.
async fn read_settings(
    session: &mut WriteSession,
    queue: &str,
) -> Result<Option<Map<String, Value>>, anyhow::Error> {
    session.begin_read().await?;
    let statement =
        sqlx::query(session.schema.name.statement(include_str!("queue_settings.sql"))).bind(queue);
    let row = session.fetch_optional(statement).await.context("cannot read the table queue")?;
    session.roll_back().await?;
    row.map(|row| Ok(serde_json::from_str(&row.try_get::<String, _>("settings")?)?)).transpose()
}
