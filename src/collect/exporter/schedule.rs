//! Schedule of work that costs the database time: of a collector in its lane, or of a part of `top`.
//!
//! Input: the configured interval, and after each run the pause that the load budget requires. Output: when the work
//! runs next. The collectors of a lane run on a grid, each shifted by its share of the interval. They are thus spread over
//! the interval from the second run on, and again after an outage.
//!
//! The pause after a first time-out can be deferred. At a budget of 1 %, one time-out of 10 s would otherwise pause a
//! collector for 1,000 s, longer than its samples live. A deferred pause is repaid by later pauses of up to twice the
//! length. Until then no other pause is deferred, so work that fails every other time stays within its budget.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// Time of the next run.
    pub(crate) due: Instant,
    /// Interval in force: the configured one, or longer.
    pub(crate) interval: Duration,
    /// Earliest time of the next run if it is requested before it is due.
    earliest: Instant,
    /// Pause that the load budget required after the latest run whose cost was charged.
    required: Duration,
    /// Part of a deferred pause that is not repaid.
    deferred: Duration,
}

impl Schedule {
    /// Returns a schedule that is due at once.
    pub(crate) fn new(now: Instant, interval: Duration) -> Self {
        Schedule { due: now, interval, earliest: now, required: Duration::ZERO, deferred: Duration::ZERO }
    }

    /// Defers a pause, unless an earlier one is not repaid yet. Returns whether the pause is deferred.
    pub(crate) fn defer(&mut self, pause: Duration) -> bool {
        let can_defer = self.deferred.is_zero();
        if can_defer {
            self.deferred = pause;
        }
        can_defer
    }

    /// Sets the time of the next run, on the grid if the work has one, and returns the interval now in force.
    ///
    /// `required` is the pause for the run that has just ended, `None` if its cost is not charged. In that case the pause of
    /// the run before stays in force, and nothing of a deferred pause is repaid. A pause longer than the configured
    /// interval replaces the interval.
    pub(crate) fn set_next(
        &mut self,
        required: Option<Duration>,
        configured: Duration,
        grid: Option<Instant>,
    ) -> Duration {
        let is_charged = required.is_some();
        self.required = required.unwrap_or(self.required);
        let interval = configured.max(self.required);
        let repaid = if is_charged { self.repay(interval) } else { Duration::ZERO };
        self.interval = interval + repaid;
        let now = Instant::now();
        self.earliest = now + self.required + repaid;
        self.due = match grid {
            Some(origin) if self.required <= configured => next_on_grid(origin, configured, self.earliest),
            _ => self.earliest.max(now + configured),
        };
        self.interval
    }

    /// Makes the next run due at `at` if it is due later.
    pub(crate) fn bring_forward(&mut self, at: Instant) {
        self.due = self.due.min(at);
    }

    /// Makes the next run due now, unless the load budget or a failed connection requires a pause.
    pub(crate) fn request(&mut self) {
        let now = Instant::now();
        if self.earliest <= now {
            self.due = now;
        }
    }

    /// Postpones the next run to `until`, on request too, because the database is not reachable.
    pub(crate) fn back_off(&mut self, until: Instant) {
        self.due = self.due.max(until);
        self.earliest = self.earliest.max(until);
    }

    /// Returns how much longer than `pause` the next pause is in order to repay a deferred one.
    fn repay(&mut self, pause: Duration) -> Duration {
        let repaid = self.deferred.min(pause);
        self.deferred -= repaid;
        repaid
    }
}

/// Returns the share of the interval by which the grid of one collector among `whole` is shifted.
#[expect(clippy::cast_precision_loss, reason = "collectors are counted in dozens")]
pub(super) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// Returns the first time on the grid `origin + n × interval` after `earliest`.
fn next_on_grid(origin: Instant, interval: Duration, earliest: Instant) -> Instant {
    if earliest < origin {
        return origin;
    }
    let intervals = ((earliest - origin).as_secs_f64() / interval.as_secs_f64()).floor();
    origin + interval.mul_f64(intervals + 1.0)
}
