//! Converts monotonic times to Unix times.
//!
//! The wall clock can be set while the exporter runs: by hand, by NTP, by a hypervisor. Stored Unix times would then give
//! wrong ages and false alerts. So times are stored as monotonic ones and converted when a scrape reads them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Smallest difference in seconds that means that the wall clock was set.
///
/// The two clocks are read one after the other, so smaller differences occur. Ignoring them keeps the Unix time of an event
/// the same from scrape to scrape.
const TOLERANCE: f64 = 1.0;

pub(super) struct WallClock {
    origin: Instant,
    /// Unix time of `origin` by the current setting of the wall clock.
    origin_unix: f64,
}

impl WallClock {
    pub(super) fn new() -> Self {
        WallClock { origin: Instant::now(), origin_unix: now() }
    }

    /// Detects whether the wall clock was set.
    pub(super) fn update(&mut self) {
        self.compare(Instant::now(), now());
    }

    fn compare(&mut self, at: Instant, unix: f64) {
        let set_by = unix - self.unix_time(at);
        if set_by.abs() > TOLERANCE {
            self.origin_unix += set_by;
        }
    }

    /// Returns the Unix time of a monotonic time since the start.
    pub(super) fn unix_time(&self, at: Instant) -> f64 {
        self.origin_unix + at.saturating_duration_since(self.origin).as_secs_f64()
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn unix_times_follow_a_wall_clock_that_is_set() {
        let origin = Instant::now();
        let after = |seconds| origin + Duration::from_secs(seconds);
        let mut clock = WallClock { origin, origin_unix: 1000.0 };
        assert_eq!(clock.unix_time(after(5)), 1005.0);
        clock.compare(after(20), 1020.25);
        assert_eq!(clock.unix_time(after(5)), 1005.0, "read a little later");
        clock.compare(after(30), 1030.0 + 7200.0);
        assert_eq!(clock.unix_time(after(5)), 1005.0 + 7200.0);
        clock.compare(after(40), 1040.0 - 7200.0);
        assert_eq!(clock.unix_time(after(5)), 1005.0 - 7200.0);
    }
}
