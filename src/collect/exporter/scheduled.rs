//! A collector in its lane: its schedule, and the log lines about its runs.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::outage::in_seconds;
use super::schedule::Schedule;
use crate::collect::collector::{Collector, Lane};
use crate::postgres::{Failure, Reason};

pub(super) struct ScheduledCollector {
    pub(super) collector: &'static Collector,
    pub(super) schedule: Schedule,
    /// Whether one of its queries runs in this lane on this database. True until the schema is read.
    pub(super) is_here: bool,
    pub(super) last_failure: Option<Reason>,
    /// Start of the current series of failed runs. Runs that did not reach the database do not count.
    failing_since: Option<Instant>,
}

impl ScheduledCollector {
    /// Returns the collector with a schedule that is due at once.
    pub(super) fn new(collector: &'static Collector, now: Instant, interval: Duration) -> Self {
        ScheduledCollector {
            collector,
            schedule: Schedule::new(now, interval),
            is_here: true,
            last_failure: None,
            failing_since: None,
        }
    }

    /// Logs the first failure of each kind and the first success after failures.
    pub(super) fn log(&mut self, lane: Lane, failure: Option<&Failure>) {
        let (collector, lane) = (self.collector.name, lane.label());
        if let Some(failure) = failure {
            let reason = failure.reason.label();
            if self.failing_since.is_some() && self.last_failure == Some(failure.reason) {
                debug!(collector, lane, reason, error = %failure, "a run failed again");
            } else {
                warn!(collector, lane, reason, error = %failure, "a run failed");
            }
            self.failing_since.get_or_insert_with(Instant::now);
        } else if let Some(since) = self.failing_since.take() {
            let lasted = humantime::format_duration(in_seconds(since.elapsed()));
            info!(collector, lane, "a run succeeded again after {lasted}");
        }
        self.last_failure = failure.map(|failure| failure.reason);
    }
}
