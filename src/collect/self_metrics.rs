//! The exporter's own metrics: whether the database is reachable, whether each collector succeeds, and what it costs.
//!
//! Each is declared as a [`Family`] in [`families`], so that the documentation and the tests list it. The values are in a
//! rust-prometheus registry. Its hash of label values is safe here, because no client chooses them.

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

pub use self::families::FAMILIES;
use self::families::{
    BUILD_INFO, BUSY, CLOCK_OFFSET, DATABASE_INFO, DISABLED_INFO, DURATION, ENABLED, FAILURES, INTERVAL,
    LAST_DURATION, LAST_START, LAST_SUCCESS, RUNS, SERIES, SUCCESS, UP, WEB_CONFIG,
};
use self::wall_clock::WallClock;
use crate::collect::availability::Availability;
use crate::collect::collector::Collector;
use crate::collect::collectors::COLLECTORS;
use crate::collect::pace::Pace;
use crate::collect::run_status::Success;
use crate::metrics::Family;
use crate::postgres::Reason;
use crate::schema::Schema;

/// Bounds of `marie_collector_duration_seconds`: from an index probe to the statement time-out.
const DURATIONS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The values of [`FAMILIES`] and the standard `process_*` metrics.
pub struct SelfMetrics {
    registry: Registry,
    /// Held while several values change together, and while values are read.
    consistency: Mutex<()>,
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
    last_start: GaugeVec,
    interval: GaugeVec,
    series: GaugeVec,
}

impl SelfMetrics {
    /// # Errors
    /// If a declaration is invalid; a test checks that none is.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauge = |family: &Family| register(&registry, GaugeVec::new(options(family), family.labels)?);
        let counter =
            |family: &Family| register(&registry, IntCounterVec::new(options(family), family.labels)?);
        let histogram = HistogramOpts::new(DURATION.name, DURATION.help).buckets(DURATIONS.to_vec());
        let self_metrics = SelfMetrics {
            up: register(&registry, IntGauge::with_opts(options(&UP))?)?,
            web_config: register(&registry, IntGauge::with_opts(options(&WEB_CONFIG))?)?,
            database_info: gauge(&DATABASE_INFO)?,
            clock_offset: register(&registry, Gauge::with_opts(options(&CLOCK_OFFSET))?)?,
            busy: register(&registry, CounterVec::new(options(&BUSY), BUSY.labels)?)?,
            enabled: gauge(&ENABLED)?,
            disabled_info: gauge(&DISABLED_INFO)?,
            success: gauge(&SUCCESS)?,
            runs: counter(&RUNS)?,
            failures: counter(&FAILURES)?,
            duration: register(&registry, HistogramVec::new(histogram, DURATION.labels)?)?,
            last_duration: gauge(&LAST_DURATION)?,
            last_success: gauge(&LAST_SUCCESS)?,
            last_start: gauge(&LAST_START)?,
            interval: gauge(&INTERVAL)?,
            series: gauge(&SERIES)?,
            registry: registry.clone(),
            consistency: Mutex::new(()),
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

    /// Creates the counters with the value 0, so that `increase()` sees the first failure.
    fn start_at_zero(&self) {
        for (collector, pace) in
            COLLECTORS.iter().flat_map(|&collector| Pace::ALL.map(|pace| (collector, pace)))
        {
            if !collector.has_pace(pace) {
                continue;
            }
            self.runs.with_label_values(&[collector.name, pace.label()]);
            for reason in Reason::ALL {
                self.failures.with_label_values(&[collector.name, pace.label(), reason.label()]);
            }
        }
    }

    /// Sets `marie_up`: whether the latest attempt to reach the database succeeded.
    pub fn set_up(&self, is_reached: bool) {
        self.up.set(i64::from(is_reached));
    }

    /// Whether the latest attempt reached the database.
    pub fn is_up(&self) -> bool {
        self.up.get() == 1
    }

    /// Sets whether the last reload of the web configuration succeeded.
    pub fn set_web_config(&self, is_success: bool) {
        self.web_config.set(i64::from(is_success));
    }

    /// Sets the metrics that describe the database.
    pub fn set_database(&self, name: &str, schema: &Schema) {
        let _guard = self.consistency.lock();
        self.database_info.reset();
        let in_recovery = schema.in_recovery.to_string();
        self.database_info
            .with_label_values(&[name, schema.shape(), &schema.server_version, &in_recovery])
            .set(1.0);
        self.clock_offset.set(schema.clock_offset);
    }

    /// Sets whether the collector runs; `disabled` is the reason if it does not.
    pub fn set_enabled(&self, collector: &Collector, disabled: Option<&str>) {
        self.enabled.with_label_values(&[collector.name]).set(if disabled.is_none() { 1.0 } else { 0.0 });
        for reason in Availability::REASONS {
            if disabled == Some(reason) {
                self.disabled_info.with_label_values(&[collector.name, reason]).set(1.0);
            } else {
                // An error only means that the gauge was not set.
                let _ = self.disabled_info.remove_label_values(&[collector.name, reason]);
            }
        }
    }

    /// Counts a run.
    pub fn record_run(&self, collector: &Collector, pace: Pace, took: Duration, failure: Option<Reason>) {
        let labels = [collector.name, pace.label()];
        if let Some(reason) = failure {
            self.failures.with_label_values(&[collector.name, pace.label(), reason.label()]).inc();
        }
        self.runs.with_label_values(&labels).inc();
        self.duration.with_label_values(&labels).observe(took.as_secs_f64());
        self.last_duration.with_label_values(&labels).set(took.as_secs_f64());
        self.success.with_label_values(&labels).set(if failure.is_none() { 1.0 } else { 0.0 });
    }

    /// Counts time that statements took. `pace` is the value of the label.
    pub fn add_busy(&self, pace: &str, busy: Duration) {
        self.busy.with_label_values(&[pace]).inc_by(busy.as_secs_f64());
    }

    /// Sets the interval in force.
    pub fn set_interval(&self, collector: &Collector, pace: Pace, interval: Duration) {
        self.interval.with_label_values(&[collector.name, pace.label()]).set(interval.as_secs_f64());
    }

    /// Removes the gauges of a collector that does not run in this pace any more. Its counters stay.
    pub fn remove(&self, collector: &Collector, pace: Pace) {
        for gauges in [&self.success, &self.last_duration, &self.interval] {
            // An error only means that the gauge was not set.
            let _ = gauges.remove_label_values(&[collector.name, pace.label()]);
        }
    }

    /// Returns these metrics in the text format. `series` is how many series each collector publishes, `successes` when it
    /// last succeeded.
    ///
    /// # Errors
    /// If the encoder rejects a family.
    pub fn text(
        &self,
        series: &[(&'static str, usize)],
        successes: &[(&'static str, Pace, Success)],
    ) -> prometheus::Result<Vec<u8>> {
        for (collector, count) in series {
            #[expect(clippy::cast_precision_loss, reason = "series are counted in thousands")]
            self.series.with_label_values(&[collector]).set(*count as f64);
        }
        let families = {
            let _guard = self.consistency.lock();
            let mut wall_clock = self.wall_clock.lock();
            wall_clock.update();
            self.last_success.reset();
            self.last_start.reset();
            for (collector, pace, success) in successes {
                let labels = [collector, pace.label()];
                self.last_success.with_label_values(&labels).set(wall_clock.unix_time(success.ended));
                self.last_start.with_label_values(&labels).set(wall_clock.unix_time(success.began));
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

fn register<M: Registered + Clone + 'static>(registry: &Registry, metric: M) -> prometheus::Result<M> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use prometheus::proto::{LabelPair, Metric};

    use super::*;
    use crate::collect::collectors::COLLECTORS;
    use crate::schema::Lack;

    #[test]
    fn disabled_collector_has_one_series_with_its_reason() {
        let self_metrics = SelfMetrics::new().unwrap();
        let lacks =
            [Lack::Missing(String::new()), Lack::Permission(String::new()), Lack::Locks(String::new())];
        let reasons = lacks.iter().map(Lack::reason).chain(["disabled"]).map(Some);
        for reason in reasons.chain([None]) {
            self_metrics.set_enabled(COLLECTORS[0], reason);
            let families = self_metrics.registry.gather();
            let family = families.iter().find(|family| family.name() == families::DISABLED_INFO.name);
            let series = family.map_or(&[][..], |family| family.get_metric());
            let labels = series.iter().flat_map(Metric::get_label);
            let shown: Vec<&str> =
                labels.filter(|label| label.name() == "reason").map(LabelPair::value).collect();
            assert_eq!(shown, Vec::from_iter(reason));
        }
    }

    #[test]
    fn scrape_always_shows_one_database_info() {
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
