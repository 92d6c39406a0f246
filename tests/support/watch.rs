//! Runs the binary and scrapes it every 20 ms from its first run to its end.
//!
//! Each scrape is timed; [`Watch::end`] fails if the exporter answered late.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::collect::pace::Pace;

use super::metrics::Metrics;
use super::process::Process;
use super::running::pace;
use super::scrape;

/// Longest wait for a condition, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Interval of all paces, unless a test's flags replace it.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);

/// Longest time of an answer, unless the next one is faster.
///
/// Does not include the time in which the exporter or the prober is ready to run without a free core: other tests share
/// the cores, and the exporter cannot change that.
const PROMISE: Duration = Duration::from_millis(100);

/// Longest time of a single answer, on a machine that is busier than it reports.
///
/// An answer that waits for the database takes longer, because this is the shortest query time-out of these tests.
const EXCUSABLE: Duration = Duration::from_millis(250);

/// Fewest answers that are judged, even if the fault ends sooner.
const ENOUGH: usize = 40;

pub(crate) struct Watch {
    process: Process,
    interval: Duration,
    over: Arc<AtomicBool>,
    prober: JoinHandle<Vec<(Duration, Duration)>>,
}

impl Watch {
    /// Serves this database and waits for its first numbers; flags replace those of [`Watch::flags`].
    pub(crate) fn serve(url: &str, flags: &[&str]) -> Self {
        let watch = Self::attach(Process::serve(url, &Self::flags(flags)), INTERVAL);
        watch.recovers();
        watch
    }

    /// Returns these flags and defaults: short intervals, and a load budget that never delays a run.
    pub(crate) fn flags<'a>(flags: &[&'a str]) -> Vec<&'a str> {
        let given = |flag: &str| flag.split_once('=').map_or(flag, |(name, _)| name).to_owned();
        let replaced: Vec<String> = flags.iter().map(|flag| given(flag)).collect();
        let mut result = vec![
            "--collector.interval=2s",
            "--collector.slow-interval=2s",
            "--collector.timeout=2s",
            "--collector.load-budget=100%",
        ];
        result.retain(|flag| !replaced.contains(&given(flag)));
        result.extend(flags);
        result
    }

    /// Watches a process with this collector interval after each of its collectors has run once.
    pub(crate) fn attach(process: Process, interval: Duration) -> Self {
        scrape::until_ready(process.address());
        let url = format!("{}/metrics", process.address());
        let id = process.id();
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let prober = thread::spawn(move || {
            let mut took = Vec::new();
            while !is_over.load(Ordering::Relaxed) || took.len() < ENOUGH {
                let (began, queued) = (Instant::now(), time_in_queue(id));
                let answer = scrape::get(&url);
                let elapsed = began.elapsed();
                took.push((elapsed, time_in_queue(id).saturating_sub(queued)));
                assert_eq!(answer.status, 200, "{}", answer.text());
                thread::sleep(Duration::from_millis(20));
            }
            took
        });
        Watch { process, interval, over, prober }
    }

    pub(crate) fn metrics(&self) -> Metrics {
        scrape::metrics(self.process.address())
    }

    /// Returns the text of the status page, without its markup.
    pub(crate) fn page(&self) -> String {
        let html = scrape::get(self.process.address()).text();
        let body = html.split_once("<body>").map_or(html.as_str(), |(_, body)| body);
        let texts = body.split('>').filter_map(|part| part.split('<').next());
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Waits until the published metrics fulfil the condition.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        self.within(PATIENCE, what, holds)
    }

    /// Waits until `marie_up` is 0, each collector has failed as `unavailable`, and the status page contains the reason.
    pub(crate) fn until_unavailable(&self, why: &str) -> Metrics {
        let before = self.metrics();
        let metrics = self.until("the database is unavailable", |now| {
            now.value("marie_up", &[]) == Some(0.0)
                && running(&before).all(|labels| {
                    now.value("marie_collector_success", &labels) == Some(0.0)
                        && now.count(FAILURES, &[labels[0], labels[1], ("reason", "unavailable")]) > 0.0
                })
        });
        let page = self.page();
        assert!(page.contains(why), "{why:?} is not on the page: {page}");
        metrics
    }

    /// Waits until the collector fails at its pace with this reason while `marie_up` is 1.
    pub(crate) fn until_fails(&self, collector: &str, reason: &str) -> Metrics {
        let labels = [("collector", collector), ("pace", pace(collector)), ("reason", reason)];
        let before = self.metrics().count(FAILURES, &labels);
        self.until(&format!("{collector} fails with {reason}"), |now| {
            now.count(FAILURES, &labels) > before && now.value("marie_up", &[]) == Some(1.0)
        })
    }

    /// Waits at most two intervals until all collectors that run have succeeded again.
    pub(crate) fn recovers(&self) -> Metrics {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        self.within(self.interval * 2, "fresh numbers after two intervals", |now| is_fresh(now, since))
    }

    /// Returns numbers of runs that all began after this call.
    ///
    /// Waits twice, because the first success can be of a run that began earlier.
    pub(crate) fn fresh(&self) -> Metrics {
        self.recovers();
        self.recovers()
    }

    /// Waits at most this long until the published metrics fulfil the condition.
    pub(crate) fn within(&self, patience: Duration, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        let began = Instant::now();
        loop {
            let in_time = began.elapsed() < patience;
            let metrics = self.metrics();
            if holds(&metrics) {
                return metrics;
            }
            assert!(in_time, "timed out after {patience:?}: {what}: {}", self.page());
            thread::sleep(Duration::from_millis(25));
        }
    }

    /// Ends the process, fails if answers were late, and returns the log.
    pub(crate) fn end(self) -> String {
        self.over.store(true, Ordering::Relaxed);
        let took = self.prober.join().expect("every scrape is answered");
        let (status, _, log) = self.process.end("TERM");
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        let (slowest, _) = took.iter().max().unwrap();
        let own: Vec<Duration> = took.iter().map(|(took, queued)| took.saturating_sub(*queued)).collect();
        let latest = own.iter().max().unwrap();
        eprintln!(
            "{} answers, slowest: {slowest:?}, {latest:?} of them without waiting for a core",
            took.len()
        );
        let in_a_row = own.windows(2).find(|pair| pair.iter().all(|own| *own >= PROMISE));
        assert!(in_a_row.is_none() && *latest < EXCUSABLE, "late: {latest:?}, {in_a_row:?}");
        log
    }
}

const FAILURES: &str = "marie_collector_failures_total";

/// Returns the labels of the collectors and paces that have runs.
fn running(metrics: &Metrics) -> impl Iterator<Item = [(&'static str, &'static str); 2]> {
    let labels = COLLECTORS
        .iter()
        .flat_map(|collector| Pace::ALL.map(|pace| [("collector", collector.name), ("pace", pace.label())]));
    labels.filter(|labels| metrics.value("marie_collector_interval_seconds", labels).is_some())
}

/// Returns whether `marie_up` is 1 and every collector that runs has succeeded since then.
fn is_fresh(metrics: &Metrics, since: f64) -> bool {
    let succeeded = |labels: [(&str, &str); 2]| {
        metrics.value("marie_collector_success", &labels) == Some(1.0)
            && metrics.value("marie_collector_last_success_timestamp_seconds", &labels) >= Some(since)
    };
    metrics.value("marie_up", &[]) == Some(1.0)
        && running(metrics).count() > 5
        && running(metrics).all(succeeded)
}

/// Returns how long the threads of a process and the current thread have been ready to run without a free core.
///
/// Zero if the kernel does not report it.
fn time_in_queue(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let of_process = tasks.map(|task| task.path());
    let waits = of_process.chain([PathBuf::from("/proc/thread-self")]).filter_map(|task| {
        let text = fs::read_to_string(task.join("schedstat")).ok()?;
        text.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    Duration::from_nanos(waits.sum())
}
