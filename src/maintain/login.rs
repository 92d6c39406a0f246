//! Opens the connections of the maintaining commands and takes the maintain lock.
//!
//! The lock ensures that two commands never work on one schema at the same time. It is a lock of a transaction, because a
//! pooler could hand a lock of a session to another client.

use sqlx::Row;

use crate::config::{Config, SchemaName};
use crate::postgres::{Connection, Failure, Reason, connect_with};
use crate::terminal::escape::escaped;

/// Settings of the session from the login on.
///
/// The search path of the role may contain a schema in which others can create functions. The settings are part of the
/// login, because after a `SET` statement a pooler would hand the changed session to another client.
const SETTINGS: [(&str, &str); 2] = [("search_path", "pg_catalog,pg_temp"), ("row_security", "off")];

/// End of each message that reports a pooler.
const POOLER: &str = ": a pooler is between marie-exporter and PostgreSQL, and maintain changes settings of its session; \
                      connect it to PostgreSQL itself";

/// Opens a connection that the server does not end while it is idle, and that sees all rows of a table or none.
pub(super) async fn connect(config: &Config) -> Result<Connection, Failure> {
    let connected = connect_with(&config.database, &SETTINGS).await;
    let (mut connection, _) = connected.map_err(|failure| {
        let is_refused = failure.message.contains("startup parameter");
        let advice = if is_refused { POOLER } else { "" };
        Failure { message: failure.message + advice, ..failure }
    })?;
    // SHOW calls no function, so it is safe with every search path.
    let path = connection.fetch_one(sqlx::raw_sql("SHOW search_path")).await?;
    if path.try_get::<&str, _>("search_path")? != SETTINGS[0].1 {
        let message = format!("the settings of the login were dropped{POOLER}");
        return Err(Failure::new(Reason::Other, message));
    }
    connection.execute(sqlx::raw_sql(include_str!("session_settings.sql"))).await?;
    Ok(connection)
}

/// Opens a transaction that holds the maintain lock of a schema.
///
/// The transaction holds no snapshot, so it does not hold back vacuum.
///
/// # Errors
/// Another session holds the lock. The message names that session.
pub(super) async fn lock(connection: &mut Connection, schema: &SchemaName) -> Result<(), Failure> {
    connection.execute(sqlx::raw_sql("BEGIN")).await?;
    let lock = connection.fetch_one(sqlx::query(include_str!("lock.sql")).bind(schema.as_str())).await?;
    if lock.try_get("locked")? {
        return Ok(());
    }
    let statement = sqlx::query(include_str!("lock_holder.sql")).bind(schema.as_str());
    let holders: Option<String> = connection.fetch_one(statement).await?.try_get("holders")?;
    let holders = holders.map_or_else(|| "a session that has just ended".to_owned(), |it| escaped(&it, 400));
    let message = format!(
        "another marie-exporter maintain is running on the schema {}: its lock is held by {holders}. If that is no \
         such run, end it with pg_terminate_backend",
        schema.quoted(),
    );
    Err(Failure::new(Reason::Other, message))
}
