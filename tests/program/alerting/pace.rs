//! How fast time goes in the fault matrix: in the rules, the scrapes, the routes and the exporter alike, so that the
//! order of things stays what it is. What was measured is told in the field's time.

use std::time::Duration;

use regex::{Captures, Regex};

/// How often Prometheus scrapes and the fast lane runs, in the field.
const INTERVAL: Duration = Duration::from_secs(15);

/// Shorter than this is more than the machine can be asked for.
const SHORTEST: Duration = Duration::from_secs(1);

/// So many times faster than in the field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace(u32);

impl Pace {
    /// `MATRIX=1` is the pace of the field and takes more than an hour; by itself a minute of the field is two seconds.
    pub(crate) fn chosen() -> Self {
        match std::env::var("MATRIX") {
            Ok(faster) => Pace(faster.parse().expect("MATRIX says how many times faster than in the field")),
            Err(_) => Pace(30),
        }
    }

    /// How long this stretch of the field's time takes here.
    pub(crate) fn of(self, field: Duration) -> Duration {
        field / self.0
    }

    /// How long in the field is what took so long here.
    pub(crate) fn in_the_field(self, here: Duration) -> Duration {
        here * self.0
    }

    pub(crate) fn interval(self) -> Duration {
        self.of(INTERVAL).max(SHORTEST)
    }

    /// The exporter's flags.
    pub(crate) fn flags(self) -> [String; 5] {
        let milliseconds = |duration: Duration| format!("{}ms", duration.as_millis());
        let five_minutes = milliseconds(self.of(Duration::from_mins(5)));
        [
            format!("--collector.interval={}", milliseconds(self.interval())),
            format!("--collector.slow-interval={five_minutes}"),
            format!("--collector.stale-after={five_minutes}"),
            format!("--events.new-series-hold={}", milliseconds(self.of(Duration::from_mins(2)))),
            format!("--collector.load-budget={}%", self.0.min(100)),
        ]
    }

    /// The bundled rules, with nothing changed but how long things take.
    pub(crate) fn rules(self, bundled: &str) -> String {
        let mut rules =
            self.durations(bundled, r"(?m)(^\s+(?:interval|for|keep_firing_for): |\[)(\d+)([smhd])");
        for (what, seconds) in [
            (r"(_seconds:limit\s+expr: vector\()([\d *]+)\)", "${1}${2} / FASTER)"),
            (r"(marie_event_lag_seconds:min < )(\d+)", "${1}(${2} / FASTER)"),
            (r"(\* marie_collector_interval_seconds, )(\d+)\)", "${1}${2} / FASTER)"),
            (r"(\[[^\]]+\]\) \* )(3600)", "${1}(${2} / FASTER)"),
        ] {
            let hurried = Regex::new(what).unwrap().replace_all(&rules, seconds).into_owned();
            assert_ne!(hurried, rules, "{what} is nowhere in the rules");
            rules = hurried.replace("FASTER", &self.0.to_string());
        }
        rules
    }

    /// The bundled Alertmanager's configuration, likewise. When a message comes again is no matter here.
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
            let field = Duration::from_secs(found[2].parse::<u64>().unwrap() * unit);
            format!("{}{}ms", &found[1], self.of(field).as_millis())
        };
        let shortened = Regex::new(pattern).unwrap().replace_all(text, shorten).into_owned();
        assert_ne!(shortened, text, "{pattern} is nowhere");
        shortened
    }
}
