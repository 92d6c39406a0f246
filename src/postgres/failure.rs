//! Why a run failed: a [`Reason`] for metrics and a message for the operator, made from errors of the server and driver.

use crate::terminal::escape::{MESSAGE_LIMIT, escaped};

/// Length of an SQLSTATE. A faulty server could send a longer one.
const SQLSTATE_LENGTH: usize = 5;

/// Hint for the errors "prepared statement does not exist" and "already exists".
const POOLER: &str = ": a pooler without support for prepared statements is between the exporter and PostgreSQL; add \
                      statement-cache-capacity=0 to the URL";

/// Class of a failure, the value of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Timeout,
    Lock,
    Conflict,
    Permission,
    SchemaChanged,
    Unavailable,
    /// The query needs more locks than the lock budget allows.
    LockLimit,
    /// The server has no memory left, usually in its lock table.
    OutOfMemory,
    /// Events of the history are gone, or cannot be distinguished from counted ones.
    HistoryLost,
    Other,
}

impl Reason {
    pub const ALL: [Reason; 10] = [
        Reason::Timeout,
        Reason::Lock,
        Reason::Conflict,
        Reason::Permission,
        Reason::SchemaChanged,
        Reason::Unavailable,
        Reason::LockLimit,
        Reason::OutOfMemory,
        Reason::HistoryLost,
        Reason::Other,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Reason::Timeout => "timeout",
            Reason::Lock => "lock",
            Reason::Conflict => "conflict",
            Reason::Permission => "permission",
            Reason::SchemaChanged => "schema_changed",
            Reason::Unavailable => "unavailable",
            Reason::LockLimit => "lock_limit",
            Reason::OutOfMemory => "out_of_memory",
            Reason::HistoryLost => "history_lost",
            Reason::Other => "other",
        }
    }

    /// Classifies an SQLSTATE, see <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn from_sqlstate(code: &str) -> Reason {
        match code {
            "57014" => Reason::Timeout,
            "55P03" => Reason::Lock,
            // A standby cancels queries that block replay with a serialization failure.
            "40001" | "40P01" => Reason::Conflict,
            "42501" => Reason::Permission,
            "53200" => Reason::OutOfMemory,
            // Undefined table, column, function or object; a changed result type; a label that the enum lacks.
            "42P01" | "42703" | "42883" | "42704" | "42804" | "0A000" | "22P02" => Reason::SchemaChanged,
            // Too many connections, ended by an administrator or a time-out, no such database.
            "53300" | "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" | "3D000" => {
                Reason::Unavailable
            }
            _ if code.starts_with("08") || code.starts_with("28") => Reason::Unavailable,
            _ => Reason::Other,
        }
    }
}

/// A failed run, with a message for the operator. It holds no secret, because neither the server nor the driver repeats
/// the connection's options in a message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub reason: Reason,
    pub message: String,
}

impl Failure {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Failure { reason, message: message.into() }
    }

    /// Whether the connection can be used after this failure. After an error of the server it can, because a rollback
    /// suffices. It cannot if the server has no memory to spare for the session, or if a pooler has lost the prepared
    /// statements that the driver relies on.
    pub(super) fn leaves_connection_usable(&self) -> bool {
        !matches!(self.reason, Reason::Unavailable | Reason::OutOfMemory) && !self.message.ends_with(POOLER)
    }

    /// Whether prepared statements must be prepared again, because tables or types have changed.
    pub(super) fn invalidates_statements(&self) -> bool {
        self.reason == Reason::SchemaChanged
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                let advice = if ["26000", "42P05"].contains(&&*code) { POOLER } else { "" };
                let message = escaped(database.message(), MESSAGE_LIMIT);
                let message = format!("{message} (SQLSTATE {}){advice}", escaped(&code, SQLSTATE_LENGTH));
                Failure::new(Reason::from_sqlstate(&code), message)
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                Failure::new(Reason::Unavailable, escaped(&error.to_string(), MESSAGE_LIMIT))
            }
            _ => Failure::new(Reason::Other, escaped(&error.to_string(), MESSAGE_LIMIT)),
        }
    }
}
