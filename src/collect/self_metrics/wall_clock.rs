//! What the wall clock says of moments in the past. It can be set under way, by hand, by NTP after the machine has
//! started, by a hypervisor; a time that was written down before would then tell of an age that is none, and somebody
//! would be woken by it. So ages are kept by the monotonic clock, which nobody sets, and told as the wall clock is now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Where the two are apart by less, the clock was not set: they were read one after the other. What is told of a moment
/// stays the same from scrape to scrape.
const TOLERANCE: f64 = 1.0;

pub(super) struct WallClock {
    origin: Instant,
    /// The Unix time of `origin`, as the clock is set now.
    origin_unix: f64,
}

impl WallClock {
    pub(super) fn new() -> Self {
        WallClock { origin: Instant::now(), origin_unix: now() }
    }

    /// Notices whether the clock was set.
    pub(super) fn look(&mut self) {
        self.read(Instant::now(), now());
    }

    fn read(&mut self, at: Instant, unix: f64) {
        let set_by = unix - self.unix_time(at);
        if set_by.abs() > TOLERANCE {
            self.origin_unix += set_by;
        }
    }

    /// The Unix time of a moment since the start.
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
    fn moments_follow_a_wall_clock_that_is_set() {
        let origin = Instant::now();
        let after = |seconds| origin + Duration::from_secs(seconds);
        let mut clock = WallClock { origin, origin_unix: 1000.0 };
        assert_eq!(clock.unix_time(after(5)), 1005.0);
        clock.read(after(20), 1020.25);
        assert_eq!(clock.unix_time(after(5)), 1005.0, "read a little later");
        clock.read(after(30), 1030.0 + 7200.0);
        assert_eq!(clock.unix_time(after(5)), 1005.0 + 7200.0);
        clock.read(after(40), 1040.0 - 7200.0);
        assert_eq!(clock.unix_time(after(5)), 1005.0 - 7200.0);
    }
}
