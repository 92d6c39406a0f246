//! A job of a DAG, as `dags show` reads it.

use serde::Deserialize;

/// The columns of a row that the blockers and the critical path need.
#[derive(Debug, Deserialize)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) queue: Option<String>,
    pub(super) state: State,
    /// Seconds; `None` for a job that has not been started.
    run_time: Option<f64>,
    /// `None` if the date of its start is NULL.
    is_stuck: Option<bool>,
    pub(super) started_on: Option<String>,
    pub(super) deferred_until: Option<String>,
}

/// A job's state. Some shapes store any text.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct State(pub(super) String);

impl Job {
    pub(super) fn is_stuck(&self) -> bool {
        self.is_stuck.unwrap_or_default()
    }

    /// How long it has run, in microseconds.
    pub(super) fn run_micros(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, and u64 holds some hundred thousand years"
        )]
        let micros = (self.run_time.unwrap_or_default() * 1e6) as u64;
        micros
    }
}

impl State {
    /// Whether the job has not been started.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.0.as_str(), "created" | "retry")
    }

    pub(super) fn is_unfinished(&self) -> bool {
        self.is_waiting() || self.0 == "active"
    }

    /// Whether jobs that wait for this one can run.
    pub(super) fn is_satisfied(&self) -> bool {
        !self.is_unfinished() && !matches!(self.0.as_str(), "expired" | "cancelled" | "failed")
    }
}
