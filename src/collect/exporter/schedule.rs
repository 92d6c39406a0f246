//! A collector's place in its lane's round: when it runs next. Turns keep to a grid, shifted from collector to
//! collector, so that they are spread over the interval from the second round on and again after an outage.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::debt::Debt;
use super::outage::in_seconds;
use crate::collect::collector::{Collector, Lane};
use crate::postgres::{Failure, Reason};

pub(super) struct Turn {
    pub(super) collector: &'static Collector,
    pub(super) due: Instant,
    /// The pause that the load budget demands after a run.
    demanded: Duration,
    pub(super) debt: Debt,
    /// The interval in force.
    pub(super) interval: Duration,
    /// Whether it has a query in this lane here, as far as known.
    pub(super) is_here: bool,
    pub(super) last_failure: Option<Reason>,
    /// Since when its runs fail, apart from those for which the database was not reached.
    pub(super) failing_since: Option<Instant>,
}

impl Turn {
    /// Due at once.
    pub(super) fn new(collector: &'static Collector, now: Instant, interval: Duration) -> Self {
        Turn {
            collector,
            due: now,
            demanded: Duration::ZERO,
            debt: Debt::default(),
            interval,
            is_here: true,
            last_failure: None,
            failing_since: None,
        }
    }

    /// Sets when it runs next and says what its interval is now. Where the budget demands a longer pause than the
    /// configured interval, that pause is all there is; `demanded` is none where a run told nothing of its cost, and then
    /// nothing of what is owed is paid either.
    pub(super) fn reschedule(
        &mut self,
        demanded: Option<Duration>,
        configured: Duration,
        origin: Instant,
    ) -> Duration {
        self.interval = configured.max(demanded.unwrap_or(self.demanded));
        let paid = if demanded.is_some() { self.debt.pay(self.interval) } else { Duration::ZERO };
        self.demanded = demanded.unwrap_or(self.demanded);
        self.interval += paid;
        let earliest = Instant::now() + self.demanded + paid;
        self.due =
            if self.demanded > configured { earliest } else { next_on_grid(origin, configured, earliest) };
        self.interval
    }

    /// Logs what came of a run: the first failure of its kind, and the first success after failures.
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

/// The part of the interval by which the grid of one turn among several is shifted.
#[expect(clippy::cast_precision_loss, reason = "collectors are counted in dozens")]
pub(super) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The first time on the grid `origin + n × interval` after `earliest`.
fn next_on_grid(origin: Instant, interval: Duration, earliest: Instant) -> Instant {
    if earliest < origin {
        return origin;
    }
    let rounds = ((earliest - origin).as_secs_f64() / interval.as_secs_f64()).floor();
    origin + interval.mul_f64(rounds + 1.0)
}
