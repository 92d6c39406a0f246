//! A collector's place in its lane's round: when it runs next. Turns keep to a grid, shifted from collector to
//! collector, so that they are spread over the interval from the second round on and again after an outage.

use std::time::Duration;

use tokio::time::Instant;

use crate::collector::Collector;
use crate::database::Reason;

pub(super) struct Turn {
    pub(super) collector: &'static Collector,
    pub(super) due: Instant,
    /// The pause that the load budget demands after a run.
    demanded: Duration,
    /// What of a pause was put off, and is paid by pauses twice as long.
    owed: Duration,
    /// The interval in force.
    pub(super) interval: Duration,
    /// Whether it has a query in this lane here, as far as known.
    pub(super) is_here: bool,
    pub(super) last_failure: Option<Reason>,
}

impl Turn {
    /// Due at once.
    pub(super) fn new(collector: &'static Collector, now: Instant, interval: Duration) -> Self {
        Turn {
            collector,
            due: now,
            demanded: Duration::ZERO,
            owed: Duration::ZERO,
            interval,
            is_here: true,
            last_failure: None,
        }
    }

    /// Puts a pause off, unless one is owed already. A moment's trouble must not silence a collector for a thousand
    /// seconds, the price of ten at one percent; but it has its price.
    pub(super) fn puts_off(&mut self, pause: Duration) -> bool {
        let may = self.owed.is_zero();
        if may {
            self.owed = pause;
        }
        may
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
        let paid = if demanded.is_some() { self.owed.min(self.interval) } else { Duration::ZERO };
        self.demanded = demanded.unwrap_or(self.demanded);
        self.owed -= paid;
        self.interval += paid;
        let earliest = Instant::now() + self.demanded + paid;
        self.due =
            if self.demanded > configured { earliest } else { next_on_grid(origin, configured, earliest) };
        self.interval
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
