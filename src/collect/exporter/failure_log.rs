//! The log lines about a collector's runs: the first failure of each kind, and the first success after failures.

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::outage::in_seconds;
use crate::collect::pace::Pace;
use crate::postgres::{Failure, Reason};

#[derive(Default)]
pub(super) struct FailureLog {
    last_failure: Option<Reason>,
    /// Start of the current series of failed runs.
    failing_since: Option<Instant>,
}

impl FailureLog {
    /// Logs the outcome of a run; `failure` is `None` if it succeeded.
    pub(super) fn note(&mut self, collector: &str, pace: Pace, failure: Option<&Failure>) {
        let pace = pace.label();
        if let Some(failure) = failure {
            let reason = failure.reason.label();
            if self.failing_since.is_some() && self.last_failure == Some(failure.reason) {
                debug!(collector, pace, reason, error = %failure, "a run failed again");
            } else {
                warn!(collector, pace, reason, error = %failure, "a run failed");
            }
            self.failing_since.get_or_insert_with(Instant::now);
        } else if let Some(since) = self.failing_since.take() {
            let lasted = humantime::format_duration(in_seconds(since.elapsed()));
            info!(collector, pace, "a run succeeded again after {lasted}");
        }
        self.last_failure = failure.map(|failure| failure.reason);
    }
}
