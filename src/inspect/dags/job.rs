//! A job of a DAG, decoded from a row of `show`'s listing. `blockers` and `show` read it.

use serde_json::Value;

use crate::postgres::{Failure, Reason};

/// Columns of the listing behind those that are printed.
const IS_STUCK: usize = 8;
const DEFERRED_UNTIL: usize = 9;

/// A job of the DAG, as its blockers and its critical path need it.
pub(super) struct Job {
    pub(super) id: String,
    pub(super) queue: Value,
    pub(super) state: String,
    /// How long it has run.
    pub(super) micros: u64,
    pub(super) is_stuck: bool,
    pub(super) started_on: Value,
    pub(super) deferred_until: Value,
}

impl Job {
    /// Decodes a row of the listing of a DAG's jobs.
    ///
    /// # Errors
    /// When a value is not of its column's kind.
    pub(super) fn new(row: &[Value]) -> Result<Self, Failure> {
        let seconds = match &row[7] {
            // It has not been started.
            Value::Null => 0.0,
            value => value.as_f64().ok_or_else(|| undecoded("run_time", value))?,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some thousand years fit"
        )]
        let micros = (seconds * 1e6) as u64;
        Ok(Job {
            id: decoded("id", &row[0])?.to_owned(),
            queue: row[1].clone(),
            state: decoded("state", &row[2])?.to_owned(),
            micros,
            is_stuck: row[IS_STUCK] == Value::Bool(true),
            started_on: row[5].clone(),
            deferred_until: row[DEFERRED_UNTIL].clone(),
        })
    }
}

/// Returns a column's text.
///
/// # Errors
/// When the value is not a text.
pub(super) fn decoded<'a>(column: &str, value: &'a Value) -> Result<&'a str, Failure> {
    value.as_str().ok_or_else(|| undecoded(column, value))
}

fn undecoded(column: &str, value: &Value) -> Failure {
    Failure::new(Reason::Other, format!("{column} of a job cannot be used: {value}"))
}
