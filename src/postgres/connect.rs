//! Opening a connection: the servers of the URL are tried in their order.
//!
//! Input: the settings of the database, whose files are read now. Output: a connection, or one sentence that says where
//! it was tried and why it failed. Neighbours: `certificate` explains failures of TLS.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::{ConnectOptions, PgConnection, Row};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use super::connection::answer;
use super::{Connection, Failure, Reason, certificate};
use crate::config::{DatabaseConfig, Server, ServerRole, Target};

/// How long reading the files of the URL may take, which may be pipes or lie on a disk that hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long trying all servers may take.
pub(crate) const LONGEST: Duration = Duration::from_mins(1);

/// More than there are queries, whatever the URL says: whether they stay prepared is `Target::keeps_statements`.
const STATEMENTS: usize = 100;

/// The class of SQLSTATE for a login that was refused.
const LOGIN_REFUSED: &str = "28";

/// What was worth a warning since the program started, each once.
static WARNINGS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Why a server was not taken.
struct Refusal {
    why: String,
    /// Whether the other servers would refuse as well, as libpq assumes of a wrong password.
    ends_search: bool,
    /// Whether the server has no room for a session.
    is_out_of_memory: bool,
}

/// Opens a connection, and says whether statements stay prepared on it.
///
/// # Errors
/// [`Reason::Unavailable`], with the places that do not answer and why.
pub(crate) async fn connect(database: &DatabaseConfig) -> Result<(Connection, bool), Failure> {
    connect_with(database, &[]).await
}

/// Opens a connection with settings of the server's that hold from the login on. PgBouncer refuses them.
///
/// # Errors
/// As of [`connect`].
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
        // The second pass says the same of servers that did not answer in the first.
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
                    refusals.push(format!("{}: not tried, {} s are over", server.place, LONGEST.as_secs()));
                    break 'search;
                }
            }
        }
    }
    let message = format!("cannot connect to PostgreSQL at {}", refusals.join("; at "));
    Err(Failure::new(reason, message))
}

/// Returns what was worth a warning since the program started.
pub(crate) fn warnings() -> Vec<String> {
    WARNINGS.lock().iter().cloned().collect()
}

/// Logs a warning, unless it was logged before: a connection is opened again and again.
fn warn_once(warning: &str) {
    if WARNINGS.lock().insert(warning.to_owned()) {
        warn!("{warning}");
    }
}

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
    match answer(limit, open).await {
        Ok(Ok((connection, None))) => Ok(connection),
        Ok(Ok((_, Some(mismatch)))) => {
            Err(Refusal { why: mismatch.to_owned(), ends_search: false, is_out_of_memory: false })
        }
        Ok(Err(error)) => {
            let code =
                error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
            let ends_search = code.starts_with(LOGIN_REFUSED);
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

/// Why a server is not of the kind that `target_session_attrs` names; `None` if it is.
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
            Some("it takes writes, and target_session_attrs is read-only")
        }
        ServerRole::Primary if is_standby => Some("it is a standby, and target_session_attrs is primary"),
        ServerRole::Standby if !is_standby => Some("it is no standby, and target_session_attrs asks for one"),
        _ => None,
    })
}
