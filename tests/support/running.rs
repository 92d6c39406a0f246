//! Runs the exporter's collectors inside the test process, with short intervals.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use marie_exporter::cli::{self, Command};
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::collect::exporter::Exporter;
use marie_exporter::collect::pace::Pace;
use marie_exporter::config::Config;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// Default flags: short intervals, and a load budget that never delays a run. A test's flags replace them.
const FLAGS: [&str; 5] = [
    "--collector.interval=100ms",
    "--collector.slow-interval=300ms",
    "--collector.timeout=5s",
    "--collector.load-budget=100%",
    "--events.new-series-hold=0s",
];

/// Longest wait for a condition, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Running {
    pub(crate) exporter: Arc<Exporter>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

/// Parses the flags as `serve` does.
pub(crate) fn config(url: &str, flags: &[&str]) -> Config {
    let names: Vec<_> = COLLECTORS.iter().map(|collector| (collector.name, collector.about)).collect();
    let given = |flag: &&str| flag.split_once('=').map_or(*flag, |(name, _)| name).to_owned();
    let replaced: Vec<String> = flags.iter().map(given).collect();
    let defaults = FLAGS.iter().filter(|flag| !replaced.contains(&given(flag)));
    let arguments = ["marie-exporter", "serve", "--database-url", url];
    let arguments = arguments.iter().chain(defaults).chain(flags);
    match cli::parse(arguments.map(OsString::from), |_| None, &names).expect("the flags are valid") {
        Command::Serve(config) => config,
        other => panic!("not serve: {other:?}"),
    }
}

impl Running {
    pub(crate) fn start(url: &str, flags: &[&str]) -> Self {
        let exporter = Arc::new(Exporter::new(config(url, flags)).expect("the metrics are declared well"));
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&exporter).run(shutdown.clone()));
        tasks.spawn(Arc::clone(&exporter).withdraw_expired(shutdown.clone()));
        Running { exporter, shutdown, tasks }
    }

    /// Scrapes in process and returns the samples.
    pub(crate) fn metrics(&self) -> Metrics {
        let page = self.exporter.snapshot.page();
        let mut text = self.exporter.own_text().expect("it encodes");
        page.0.iter().for_each(|collected| text.extend_from_slice(&collected.bytes));
        page.record_scrape();
        Metrics::parse(&String::from_utf8(text).expect("an exposition is UTF-8"))
    }

    /// Waits until the published metrics fulfil the condition.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = self.metrics();
            if holds(&metrics) {
                return metrics;
            }
            // Without collectors the runner ends immediately.
            if let Some(ended) = self.tasks.try_join_next() {
                ended.expect("the runner does not panic");
            }
            assert!(Instant::now() < deadline, "timed out: {what}: {}", self.failures());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits until each of these collectors has succeeded at its pace in a run that began after this call.
    pub(crate) async fn until_fresh(&mut self, collectors: &[&str]) -> Metrics {
        let before = self.metrics();
        self.until(&format!("fresh numbers of {collectors:?}"), |now| {
            // After two more successes, at least the second run began after the call.
            collectors.iter().all(|name| successes(now, name) >= successes(&before, name) + 2.0)
        })
        .await
    }

    /// Waits until the collector fails at its pace with this reason.
    pub(crate) async fn until_fails(&mut self, collector: &str, reason: &str) -> Metrics {
        let labels = [("collector", collector), ("pace", pace(collector)), ("reason", reason)];
        let before = self.metrics().count("marie_collector_failures_total", &labels);
        self.until(&format!("{collector} fails with {reason}"), |now| {
            now.count("marie_collector_failures_total", &labels) > before
                && now.value("marie_collector_success", &labels[..2]) == Some(0.0)
        })
        .await
    }

    /// Describes each collector's last run, for the message of a failed test.
    fn failures(&self) -> String {
        let latest = COLLECTORS.iter().flat_map(|collector| {
            self.exporter.run_status.latest(collector.name).into_iter().map(|latest| (collector.name, latest))
        });
        format!("{:#?}", latest.collect::<Vec<_>>())
    }

    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("the runner does not panic");
        }
    }
}

/// Returns the pace at which most queries of a collector run.
pub(crate) fn pace(collector: &str) -> &'static str {
    let pace = match collector {
        "stuck" | "scheduler" => Pace::Pulse,
        "events" => Pace::Events,
        "throughput" | "storage" => Pace::History,
        _ => Pace::Backlog,
    };
    pace.label()
}

/// Returns the number of successful runs at the collector's pace.
pub(crate) fn successes(metrics: &Metrics, collector: &str) -> f64 {
    let labels = [("collector", collector), ("pace", pace(collector))];
    metrics.count("marie_collector_runs_total", &labels)
        - metrics.count("marie_collector_failures_total", &labels)
}
