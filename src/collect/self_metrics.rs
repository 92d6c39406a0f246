//! The exporter's own metrics: is the database there, does each collector succeed, what does it cost.
//!
//! Each is declared as a [`Family`], as the collectors' are, so that documentation and tests find them in
//! one catalogue; the values live in a rust-prometheus registry, whose label sets are our own fixed words.

mod families;
mod wall_clock;

use std::time::Duration;

use parking_lot::Mutex;
use prometheus::core::Collector as Registered;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    CounterVec, Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};
use tokio::time::Instant;

pub use self::families::FAMILIES;
use self::families::{
    BUILD_INFO, BUSY, CLOCK_OFFSET, DATABASE_INFO, DISABLED_INFO, DURATION, ENABLED, FAILURES, INTERVAL,
    LAST_DURATION, LAST_SUCCESS, RUNS, SERIES, SUCCESS, UP, WEB_CONFIG,
};
use self::wall_clock::WallClock;
use crate::collect::collector::{Collector, Lane};
use crate::collect::collectors::COLLECTORS;
use crate::metrics::Family;
use crate::postgres::Reason;
use crate::schema::Schema;

/// Bounds of `marie_collector_duration_seconds`: from an index probe to the statement time-out.
const DURATIONS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The values of [`FAMILIES`] and the standard `process_*` metrics.
pub struct SelfMetrics {
    registry: Registry,
    /// Held while a fact is told in several steps, and while values are read.
    in_steps: Mutex<()>,
    wall_clock: Mutex<WallClock>,
    up: IntGauge,
    web_config: IntGauge,
    database_info: GaugeVec,
    clock_offset: Gauge,
    busy: CounterVec,
    enabled: GaugeVec,
    disabled_info: GaugeVec,
    success: GaugeVec,
    runs: IntCounterVec,
    failures: IntCounterVec,
    duration: HistogramVec,
    last_duration: GaugeVec,
    last_success: GaugeVec,
    interval: GaugeVec,
    series: GaugeVec,
}

impl SelfMetrics {
    /// # Errors
    /// When a declaration above is malformed; a test holds that none is.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauge = |family: &Family| registered(&registry, GaugeVec::new(options(family), family.labels)?);
        let counter =
            |family: &Family| registered(&registry, IntCounterVec::new(options(family), family.labels)?);
        let histogram = HistogramOpts::new(DURATION.name, DURATION.help).buckets(DURATIONS.to_vec());
        let self_metrics = SelfMetrics {
            up: registered(&registry, IntGauge::with_opts(options(&UP))?)?,
            web_config: registered(&registry, IntGauge::with_opts(options(&WEB_CONFIG))?)?,
            database_info: gauge(&DATABASE_INFO)?,
            clock_offset: registered(&registry, Gauge::with_opts(options(&CLOCK_OFFSET))?)?,
            busy: registered(&registry, CounterVec::new(options(&BUSY), BUSY.labels)?)?,
            enabled: gauge(&ENABLED)?,
            disabled_info: gauge(&DISABLED_INFO)?,
            success: gauge(&SUCCESS)?,
            runs: counter(&RUNS)?,
            failures: counter(&FAILURES)?,
            duration: registered(&registry, HistogramVec::new(histogram, DURATION.labels)?)?,
            last_duration: gauge(&LAST_DURATION)?,
            last_success: gauge(&LAST_SUCCESS)?,
            interval: gauge(&INTERVAL)?,
            series: gauge(&SERIES)?,
            registry: registry.clone(),
            in_steps: Mutex::new(()),
            wall_clock: Mutex::new(WallClock::new()),
        };
        gauge(&BUILD_INFO)?
            .with_label_values(&[env!("CARGO_PKG_VERSION"), env!("GIT_REVISION"), env!("RUSTC_VERSION")])
            .set(1.0);
        registry.register(Box::new(ProcessCollector::for_self()))?;
        self_metrics.start_at_zero();
        self_metrics.set_web_config(true);
        Ok(self_metrics)
    }

    /// Counters that are there before what they count, so that `increase()` sees a first failure.
    fn start_at_zero(&self) {
        for (collector, lane) in COLLECTORS.iter().flat_map(|one| Lane::ALL.map(|lane| (one, lane))) {
            if !collector.may_run_in(lane) {
                continue;
            }
            self.runs.with_label_values(&[collector.name, lane.label()]);
            self.busy.with_label_values(&[collector.name, lane.label()]);
            for reason in Reason::ALL {
                self.failures.with_label_values(&[collector.name, lane.label(), reason.label()]);
            }
        }
    }

    /// The outcome of the latest attempt to reach the database; nothing else sets `marie_up`.
    pub fn set_up(&self, reached: bool) {
        self.up.set(i64::from(reached));
    }

    /// Whether the latest attempt reached the database.
    pub fn is_up(&self) -> bool {
        self.up.get() == 1
    }

    /// Whether the web configuration is good as it was last read.
    pub fn set_web_config(&self, good: bool) {
        self.web_config.set(i64::from(good));
    }

    pub fn set_database(&self, name: &str, schema: &Schema) {
        let _whole = self.in_steps.lock();
        self.database_info.reset();
        let in_recovery = schema.in_recovery.to_string();
        self.database_info
            .with_label_values(&[name, schema.shape(), &schema.server_version, &in_recovery])
            .set(1.0);
        self.clock_offset.set(schema.clock_offset);
    }

    /// Says that the collector runs, or why it does not.
    pub fn set_enabled(&self, collector: &Collector, disabled: Option<&str>) {
        self.enabled.with_label_values(&[collector.name]).set(if disabled.is_none() { 1.0 } else { 0.0 });
        for reason in ["disabled", "missing_table", "permission"] {
            if disabled == Some(reason) {
                self.disabled_info.with_label_values(&[collector.name, reason]).set(1.0);
            } else {
                // Only an error where it was not set.
                let _ = self.disabled_info.remove_label_values(&[collector.name, reason]);
            }
        }
    }

    /// Counts a run.
    pub fn record_run(
        &self,
        collector: &Collector,
        lane: Lane,
        took: Duration,
        busy: Duration,
        failure: Option<Reason>,
    ) {
        let labels = [collector.name, lane.label()];
        if let Some(reason) = failure {
            self.failures.with_label_values(&[collector.name, lane.label(), reason.label()]).inc();
        }
        self.runs.with_label_values(&labels).inc();
        self.busy.with_label_values(&labels).inc_by(busy.as_secs_f64());
        self.duration.with_label_values(&labels).observe(took.as_secs_f64());
        self.last_duration.with_label_values(&labels).set(took.as_secs_f64());
        self.success.with_label_values(&labels).set(if failure.is_none() { 1.0 } else { 0.0 });
    }

    pub fn set_interval(&self, collector: &Collector, lane: Lane, interval: Duration) {
        self.interval.with_label_values(&[collector.name, lane.label()]).set(interval.as_secs_f64());
    }

    /// Takes away what describes a collector's runs in a lane where it does not run any more. Counters stay:
    /// what they counted has happened.
    pub fn forget(&self, collector: &Collector, lane: Lane) {
        for gauges in [&self.success, &self.last_duration, &self.interval] {
            // Only an error where it was not set.
            let _ = gauges.remove_label_values(&[collector.name, lane.label()]);
        }
    }

    /// The text of these metrics, with the number of series that each collector publishes, and when it last succeeded.
    ///
    /// # Errors
    /// When the encoder refuses a family.
    pub fn text(
        &self,
        series: &[(&'static str, usize)],
        successes: &[(&'static str, Lane, Instant)],
    ) -> prometheus::Result<Vec<u8>> {
        for (collector, count) in series {
            #[expect(clippy::cast_precision_loss, reason = "series are counted in thousands")]
            self.series.with_label_values(&[collector]).set(*count as f64);
        }
        let families = {
            let _whole = self.in_steps.lock();
            let mut wall_clock = self.wall_clock.lock();
            wall_clock.look();
            self.last_success.reset();
            for (collector, lane, at) in successes {
                self.last_success
                    .with_label_values(&[collector, lane.label()])
                    .set(wall_clock.unix_time(*at));
            }
            self.registry.gather()
        };
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(text)
    }
}

fn options(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

fn registered<M: Registered + Clone + 'static>(registry: &Registry, metric: M) -> prometheus::Result<M> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scrape_misses_the_database_while_it_is_described_anew() {
        let self_metrics = SelfMetrics::new().unwrap();
        let schema = Schema::default();
        self_metrics.set_database("marie", &schema);
        std::thread::scope(|scope| {
            let scrapes = scope.spawn(|| {
                for _ in 0..1000 {
                    let text = String::from_utf8(self_metrics.text(&[], &[]).unwrap()).unwrap();
                    assert_eq!(text.matches("\nmarie_database_info{").count(), 1, "{text}");
                }
            });
            while !scrapes.is_finished() {
                self_metrics.set_database("marie", &schema);
            }
            scrapes.join().unwrap();
        });
    }
}
