//! Opens a connection: tries the servers of the URL one after another.
//!
//! Input: the settings of the database. Their files are read for each connection. Output: a [`Connection`], or a
//! [`Failure`] that names each server tried and its error. [`certificate`] explains failures of TLS.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::{ConnectOptions, PgConnection, Row};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use super::connection::with_limit;
use super::{Connection, Failure, Reason, certificate};
use crate::config::{DatabaseConfig, Server, ServerRole, Target};

/// Time limit for reading the files of the URL, which can be pipes or on a network file system.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit for trying all servers.
pub(crate) const LONGEST: Duration = Duration::from_mins(1);

/// Size of the driver's statement cache, more than there are queries. [`Target::keeps_statements`] says whether statements
/// stay prepared from run to run.
const STATEMENTS: usize = 100;

/// SQLSTATE class of a failed login.
const LOGIN_FAILED: &str = "28";

/// The warnings since the program started, each once.
static WARNINGS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Why a server was not chosen.
struct Refusal {
    why: String,
    /// Whether no other server is tried. Like libpq, the search ends after a wrong password.
    ends_search: bool,
    /// Whether the server has no memory for a session.
    is_out_of_memory: bool,
}

/// Opens a connection, and returns whether statements stay prepared on it.
pub(crate) async fn connect(database: &DatabaseConfig) -> Result<(Connection, bool), Failure> {
    connect_with(database, &[]).await
}

/// Opens a connection with settings of the server that are in force from the login on. PgBouncer rejects them.
pub(crate) async fn connect_with(
    database: &DatabaseConfig,
    settings: &[(&str, &str)],
) -> Result<(Connection, bool), Failure> {
    let target = read_target(database).await?;
    let roles = match target.role {
        ServerRole::PreferStandby => vec![ServerRole::Standby, ServerRole::Any],
        role => vec![role],
    };
    let deadline = Instant::now() + LONGEST;
    let mut refusals = Vec::new();
    let mut reason = Reason::Unavailable;
    'search: for role in roles {
        // The second pass finds the same errors again.
        refusals.clear();
        for server in &target.servers {
            match timeout_at(deadline, attempt(server, role, target.timeout, settings)).await {
                Ok(Ok(connection)) => {
                    target.warnings.iter().for_each(|warning| warn_once(warning));
                    return Ok((Connection::new(connection), target.keeps_statements));
                }
                Ok(Err(refusal)) => {
                    refusals.push(format!("{}: {}", server.place, refusal.why));
                    if refusal.is_out_of_memory {
                        reason = Reason::OutOfMemory;
                    }
                    if refusal.ends_search {
                        break 'search;
                    }
                }
                Err(_) => {
                    refusals.push(format!(
                        "{}: not tried, because {} s have passed",
                        server.place,
                        LONGEST.as_secs()
                    ));
                    break 'search;
                }
            }
        }
    }
    let message = format!("cannot connect to PostgreSQL at {}", refusals.join("; at "));
    Err(Failure::new(reason, message))
}

/// Returns the warnings since the program started.
pub(crate) fn warnings() -> Vec<String> {
    WARNINGS.lock().iter().cloned().collect()
}

/// Logs a warning once for the whole process, because connections are opened repeatedly.
fn warn_once(warning: &str) {
    if WARNINGS.lock().insert(warning.to_owned()) {
        warn!("{warning}");
    }
}

/// Reads the files of the URL, off the async threads.
async fn read_target(database: &DatabaseConfig) -> Result<Target, Failure> {
    let unavailable = |message: String| Failure::new(Reason::Unavailable, message);
    let database = database.clone();
    let target = tokio::task::spawn_blocking(move || database.connect_options());
    match timeout(READ_TIMEOUT, target).await {
        Ok(Ok(target)) => target.map_err(|error| unavailable(error.to_string())),
        Ok(Err(error)) => Err(Failure::new(Reason::Other, error.to_string())),
        Err(_) => Err(unavailable("the file of the database URL cannot be read to its end".to_owned())),
    }
}

/// Connects to one server, and checks that it has the wanted role.
async fn attempt(
    server: &Server,
    role: ServerRole,
    limit: Duration,
    settings: &[(&str, &str)],
) -> Result<PgConnection, Refusal> {
    let open = async {
        let mut options = server.options.clone().statement_cache_capacity(STATEMENTS);
        if !settings.is_empty() {
            options = options.options(settings.iter().copied());
        }
        let mut connection = options.connect().await?;
        let mismatch = mismatch(&mut connection, role).await?;
        Ok::<_, sqlx::Error>((connection, mismatch))
    };
    match with_limit(limit, open).await {
        Ok(Ok((connection, None))) => Ok(connection),
        Ok(Ok((_, Some(mismatch)))) => {
            Err(Refusal { why: mismatch.to_owned(), ends_search: false, is_out_of_memory: false })
        }
        Ok(Err(error)) => {
            let code =
                error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
            let ends_search = code.starts_with(LOGIN_FAILED);
            let lacks_password = server.lacks_password.as_ref().filter(|_| ends_search);
            let hint = lacks_password.map(|why| format!("; {why}")).unwrap_or_default();
            let explained = certificate::explain(&error);
            let failure = Failure::from(error);
            let is_out_of_memory = failure.reason == Reason::OutOfMemory;
            let why = explained.unwrap_or(failure.message) + &hint;
            Err(Refusal { why, ends_search, is_out_of_memory })
        }
        Err(_) => Err(Refusal {
            why: format!("no answer within {} s", limit.as_secs()),
            ends_search: false,
            is_out_of_memory: false,
        }),
    }
}

/// Returns why a server does not match `target_session_attrs`, or `None` if it does.
async fn mismatch(
    connection: &mut PgConnection,
    role: ServerRole,
) -> Result<Option<&'static str>, sqlx::Error> {
    if role == ServerRole::Any {
        return Ok(None);
    }
    let row = sqlx::raw_sql(include_str!("server_role.sql")).fetch_one(connection).await?;
    let is_standby: bool = row.try_get("is_standby")?;
    let is_read_only = is_standby || row.try_get::<String, _>("read_only")? == "on";
    Ok(match role {
        ServerRole::ReadWrite if is_read_only => {
            Some("it is read-only, and target_session_attrs is read-write")
        }
        ServerRole::ReadOnly if !is_read_only => {
            Some("it accepts writes, and target_session_attrs is read-only")
        }
        ServerRole::Primary if is_standby => Some("it is a standby, and target_session_attrs is primary"),
        ServerRole::Standby if !is_standby => {
            Some("it is not a standby, and target_session_attrs requires one")
        }
        _ => None,
    })
}
