//! The load budget: the share of one core that all statements of the exporter together may use.
//!
//! Each pace has a balance of database time. Time adds to it, at the pace's share of the budget, up to what a minute adds;
//! a statement is charged to it. A pace may run while its balance is not negative, so its statements are at most one
//! ahead of the budget. What a pace with a full balance does not need goes to the first pace, in order of priority, whose
//! balance is not full. So no pace starves, and none of the budget is lost while one needs it.
//!
//! In `serve` the first ten seconds of database time are not charged, so that a small database has all its numbers in the
//! first minute.

use std::time::Duration;

use tokio::time::Instant;

use crate::collect::pace::Pace;

/// Time limit at the server of each statement of `serve` and `top`. A balance falls by at most this below zero.
pub(crate) const LONGEST_STATEMENT: Duration = Duration::from_secs(1);

/// Database time after a start that is not charged.
const ALLOWANCE: f64 = 10.0;

/// A balance is full when it has what so many seconds add.
const FULL: f64 = 60.0;

/// Balances closer to zero than this, in seconds, count as zero, because sums of fractions are not exact.
const NOTHING: f64 = 1e-9;

const PACES: usize = Pace::ALL.len();

#[derive(Debug, Clone)]
pub(crate) struct Budget {
    /// Share of one core, above 0, at most 1.
    rate: f64,
    /// What is left of the allowance, in seconds.
    allowance: f64,
    /// Balance of each pace, in seconds.
    balances: [f64; PACES],
    updated: Instant,
}

impl Budget {
    /// Returns a budget whose first ten seconds are not charged.
    pub(crate) fn with_allowance(rate: f64, now: Instant) -> Self {
        Budget { allowance: ALLOWANCE, ..Budget::new(rate, now) }
    }

    pub(crate) fn new(rate: f64, now: Instant) -> Self {
        Budget { rate, allowance: 0.0, balances: [0.0; PACES], updated: now }
    }

    /// Charges database time to a pace.
    pub(crate) fn charge(&mut self, pace: Pace, cost: Duration, now: Instant) {
        self.advance(now);
        let cost = cost.as_secs_f64();
        let free = cost.min(self.allowance);
        self.allowance -= free;
        self.balances[pace as usize] -= cost - free;
    }

    /// Whether statements are not charged yet.
    pub(crate) fn has_allowance(&self) -> bool {
        self.allowance > 0.0
    }

    /// Returns how long the pace has to wait before its next statement.
    pub(crate) fn wait(&mut self, pace: Pace, now: Instant) -> Duration {
        self.advance(now);
        let mut later = self.clone();
        let mut waited = 0.0;
        while later.balances[pace as usize] < -NOTHING {
            let rates = later.rates();
            let until_zero = -later.balances[pace as usize] / rates[pace as usize];
            let step = until_zero.min(later.until_next_full(&rates));
            later.add(&rates, step);
            waited += step;
        }
        at_most_a_week(waited)
    }

    /// Returns how long the pace has to wait after another run of this cost, if the other paces need nothing.
    pub(crate) fn forecast(&self, pace: Pace, cost: Duration, now: Instant) -> Duration {
        let mut later = self.clone();
        later.charge(pace, cost, now);
        later.wait(pace, now)
    }

    /// Returns the longest time in which the budget allows so much database time to the pace, whatever the others need.
    pub(crate) fn longest(&self, pace: Pace, cost: Duration) -> Duration {
        let longest = cost.as_secs_f64() / (self.rate * pace.share());
        at_most_a_week(longest)
    }

    /// Adds what the time since the last call is worth.
    fn advance(&mut self, now: Instant) {
        let mut left = now.saturating_duration_since(self.updated).as_secs_f64();
        self.updated = now;
        while left > 0.0 {
            let rates = self.rates();
            let step = left.min(self.until_next_full(&rates));
            if step.is_infinite() || step <= 0.0 {
                break;
            }
            self.add(&rates, step);
            left -= step;
        }
    }

    fn add(&mut self, rates: &[f64; PACES], seconds: f64) {
        for (pace, balance) in Pace::ALL.into_iter().zip(&mut self.balances) {
            *balance = (*balance + rates[pace as usize] * seconds).min(full(self.rate, pace));
        }
    }

    /// Returns what a second adds to each balance.
    fn rates(&self) -> [f64; PACES] {
        let mut rates = [0.0; PACES];
        let mut unused = 0.0;
        let mut first = None;
        for pace in Pace::ALL {
            if self.is_full(pace) {
                unused += pace.share() * self.rate;
            } else {
                rates[pace as usize] = pace.share() * self.rate;
                first = first.or(Some(pace));
            }
        }
        if let Some(first) = first {
            rates[first as usize] += unused;
        }
        rates
    }

    /// Returns the seconds until the next balance is full at these rates.
    fn until_next_full(&self, rates: &[f64; PACES]) -> f64 {
        let missing = |pace: Pace| full(self.rate, pace) - self.balances[pace as usize];
        let seconds = Pace::ALL.into_iter().filter(|pace| !self.is_full(*pace));
        seconds.map(|pace| missing(pace) / rates[pace as usize]).fold(f64::INFINITY, f64::min)
    }

    fn is_full(&self, pace: Pace) -> bool {
        self.balances[pace as usize] >= full(self.rate, pace) - NOTHING
    }
}

/// Because a tiny budget requires more than a `Duration` can hold, and one statement a week costs next to nothing.
fn at_most_a_week(seconds: f64) -> Duration {
    const WEEK: Duration = Duration::from_hours(7 * 24);
    Duration::try_from_secs_f64(seconds).map_or(WEEK, |duration| duration.min(WEEK))
}

/// Returns the largest balance of a pace.
fn full(rate: f64, pace: Pace) -> f64 {
    rate * pace.share() * FULL
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Returns a budget of 1 % without allowance, and its time.
    fn budget() -> (Budget, Instant) {
        let now = Instant::now();
        let mut budget = Budget::with_allowance(0.01, now);
        budget.charge(Pace::Pulse, seconds(ALLOWANCE), now);
        (budget, now)
    }

    fn assert_close(found: Duration, expected: f64) {
        assert!((found.as_secs_f64() - expected).abs() < 1e-3, "{found:?} is not {expected} s");
    }

    #[test]
    fn first_ten_seconds_are_not_charged() {
        let (mut budget, now) = budget();
        assert_eq!(budget.wait(Pace::Pulse, now), Duration::ZERO);
        budget.charge(Pace::Pulse, seconds(0.003), now);
        assert_close(budget.wait(Pace::Pulse, now), 1.0);
    }

    #[test]
    fn unused_shares_go_to_the_first_pace_that_needs_them() {
        let (mut budget, mut now) = budget();
        now += seconds(3600.0);
        // All balances are full: the whole budget goes to the one that is not.
        budget.charge(Pace::History, seconds(0.09 + 1.0), now);
        assert_close(budget.wait(Pace::History, now), 100.0);
        budget.charge(Pace::Backlog, seconds(0.15 + 1.0), now);
        // The pulse and the events leave theirs to the backlog.
        assert_close(budget.wait(Pace::Backlog, now), 1.0 / 0.0085);
        // Then the backlog's balance is filled, and after it that of the history.
        let at_zero = 1.0 / 0.0085;
        let full = at_zero + 0.15 / 0.0085;
        assert_close(budget.wait(Pace::History, now), full + (1.0 - full * 0.0015) / 0.01);
    }

    #[test]
    fn no_pace_starves() {
        let (mut budget, start) = budget();
        let mut now = start;
        let mut used = [0.0; PACES];
        while now - start < seconds(20_000.0) {
            // Every pace always has work; the first that may run does.
            match Pace::ALL.into_iter().find(|pace| budget.wait(*pace, now).is_zero()) {
                Some(pace) => {
                    budget.charge(pace, seconds(0.2), now);
                    used[pace as usize] += 0.2;
                    now += seconds(0.2);
                }
                None => now += Pace::ALL.into_iter().map(|pace| budget.wait(pace, now)).min().unwrap(),
            }
        }
        for pace in Pace::ALL {
            let share = used[pace as usize] / (now - start).as_secs_f64() / 0.01;
            assert!((share - pace.share()).abs() < 0.01, "{pace:?}: {share}");
        }
    }

    #[test]
    fn idle_paces_save_a_minute_at_most() {
        let (mut budget, start) = budget();
        let now = start + seconds(1_000_000.0);
        budget.charge(Pace::Events, seconds(0.18 + 0.001), now);
        assert!(budget.wait(Pace::Events, now) > Duration::ZERO);
    }

    #[test]
    fn longest_wait_follows_the_smallest_share() {
        let (budget, _) = budget();
        assert_close(budget.longest(Pace::Backlog, seconds(7.0)), 2800.0);
    }
}
