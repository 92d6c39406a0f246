//! Shortens durations by one factor in the rules, scrapes, routes and exporters, so that the order of events stays.
//!
//! Results are converted back to production time.

use std::time::Duration;

use regex::{Captures, Regex};

/// Interval of scrapes and of the pulse in production.
const INTERVAL: Duration = Duration::from_secs(15);

/// Shortest interval.
///
/// Because other tests run at the same time, scrapes can be slow. A scrape that takes longer than the interval fails.
const SHORTEST: Duration = Duration::from_millis(2500);

/// How many times faster than production the test runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeScale(u32);

impl TimeScale {
    /// Reads `MATRIX`: 1 is the speed of production and takes more than an hour. The default is 12.
    pub(crate) fn from_environment() -> Self {
        match std::env::var("MATRIX") {
            Ok(faster) => TimeScale(faster.parse().expect("MATRIX is not a whole number")),
            Err(_) => TimeScale(12),
        }
    }

    /// Converts production time to the time of the test.
    pub(crate) fn shorten(self, production: Duration) -> Duration {
        production / self.0
    }

    /// Converts time of the test to production time.
    pub(crate) fn in_production(self, measured: Duration) -> Duration {
        measured * self.0
    }

    pub(crate) fn interval(self) -> Duration {
        self.shorten(INTERVAL).max(SHORTEST)
    }

    /// Returns the exporter's flags.
    pub(crate) fn flags(self) -> [String; 5] {
        let milliseconds = |duration: Duration| format!("{}ms", duration.as_millis());
        let five_minutes = milliseconds(self.shorten(Duration::from_mins(5)));
        [
            format!("--collector.interval={}", milliseconds(self.interval())),
            format!("--collector.slow-interval={five_minutes}"),
            format!("--collector.stale-after={five_minutes}"),
            format!("--events.new-series-hold={}", milliseconds(self.shorten(Duration::from_mins(2)))),
            format!("--collector.load-budget={}%", self.0.min(100)),
        ]
    }

    /// Returns the bundled rules with shortened durations.
    pub(crate) fn rules(self, bundled: &str) -> String {
        let mut rules =
            self.durations(bundled, r"(?m)(^\s+(?:interval|for|keep_firing_for): |\[)(\d+)([smhd])");
        for (what, seconds) in [
            (r"(_seconds:limit\s+expr: vector\()([\d *]+)\)", "${1}${2} / FASTER)"),
            (r"(marie_event_lag_seconds:min < )(\d+)", "${1}(${2} / FASTER)"),
            (r"(\* marie_collector_interval_seconds, )(\d+)\)", "${1}${2} / FASTER)"),
            (r"(\[[^\]]+\]\) \* )(3600)", "${1}(${2} / FASTER)"),
        ] {
            let shortened = Regex::new(what).unwrap().replace_all(&rules, seconds).into_owned();
            assert_ne!(shortened, rules, "{what} is not in the rules");
            rules = shortened.replace("FASTER", &self.0.to_string());
        }
        rules
    }

    /// Returns the bundled configuration of Alertmanager with shortened durations, except that of repetitions.
    pub(crate) fn routes(self, bundled: &str) -> String {
        self.durations(bundled, r"(?m)(^\s+(?:group_wait|group_interval): )(\d+)([smhd])")
    }

    fn durations(self, text: &str, pattern: &str) -> String {
        let shorten = |found: &Captures| {
            let unit = match &found[3] {
                "s" => 1,
                "m" => 60,
                "h" => 60 * 60,
                _ => 24 * 60 * 60,
            };
            let duration = Duration::from_secs(found[2].parse::<u64>().unwrap() * unit);
            format!("{}{}ms", &found[1], self.shorten(duration).as_millis())
        };
        let shortened = Regex::new(pattern).unwrap().replace_all(text, shorten).into_owned();
        assert_ne!(shortened, text, "{pattern} is not in the file");
        shortened
    }
}
