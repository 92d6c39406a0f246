//! The binary under watch: from its first fresh numbers to its end somebody scrapes it every 20 ms and takes the
//! time.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use marie_exporter::collect::collector::Lane;
use marie_exporter::collect::collectors::COLLECTORS;

use super::metrics::Metrics;
use super::process::Process;
use super::scrape;

/// Longer than anything here takes, even on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Of both lanes, unless a test's flags say otherwise.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);

/// What each answer may take, not counting the time in which the exporter or whoever asks is ready to run and has no
/// core: two cores are shared with other tests, and the exporter can do nothing about that.
const PROMISE: Duration = Duration::from_millis(100);

/// What a single one may take on a machine that is busier than it can say. Whatever waits for the database takes
/// longer: this is the shortest time-out that a query has in these tests.
const EXCUSABLE: Duration = Duration::from_millis(250);

/// Fewer answers would say nothing, however soon the fault is over.
const ENOUGH: usize = 40;

pub(crate) struct Watch {
    process: Process,
    interval: Duration,
    over: Arc<AtomicBool>,
    prober: JoinHandle<Vec<(Duration, Duration)>>,
}

impl Watch {
    /// Serves this database and waits for its first numbers; flags given replace those of [`Watch::flags`].
    pub(crate) fn serve(url: &str, flags: &[&str]) -> Self {
        let watch = Self::of(Process::serve(url, &Self::flags(flags)), INTERVAL);
        watch.recovers();
        watch
    }

    /// Short intervals, and a budget that stretches nothing; flags given replace them.
    pub(crate) fn flags<'a>(flags: &[&'a str]) -> Vec<&'a str> {
        let given = |flag: &str| flag.split_once('=').map_or(flag, |(name, _)| name).to_owned();
        let replaced: Vec<String> = flags.iter().map(|flag| given(flag)).collect();
        let mut all = vec![
            "--collector.interval=2s",
            "--collector.slow-interval=2s",
            "--collector.timeout=2s",
            "--collector.load-budget=100%",
        ];
        all.retain(|flag| !replaced.contains(&given(flag)));
        all.extend(flags);
        all
    }

    /// Watches a process that runs its collectors at this interval, from the end of its first round on.
    pub(crate) fn of(process: Process, interval: Duration) -> Self {
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

    /// What the landing page says, without its markup.
    pub(crate) fn page(&self) -> String {
        let html = scrape::get(self.process.address()).text();
        let body = html.split_once("<body>").map_or(html.as_str(), |(_, body)| body);
        let texts = body.split('>').filter_map(|part| part.split('<').next());
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Waits until what is published fulfils the condition.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        self.within(PATIENCE, what, holds)
    }

    /// Waits until the database counts as not reached, each collector that runs has failed for that, and the page
    /// says why.
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

    /// Waits until the collector fails in the fast lane for this reason, the database being reached.
    pub(crate) fn until_fails(&self, collector: &str, reason: &str) -> Metrics {
        let labels = [("collector", collector), ("lane", "fast"), ("reason", reason)];
        let before = self.metrics().count(FAILURES, &labels);
        self.until(&format!("{collector} fails with {reason}"), |now| {
            now.count(FAILURES, &labels) > before && now.value("marie_up", &[]) == Some(1.0)
        })
    }

    /// The fault is over: all collectors that run have succeeded again within two intervals.
    pub(crate) fn recovers(&self) -> Metrics {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        self.within(self.interval * 2, "fresh numbers after two intervals", |now| is_fresh(now, since))
    }

    /// The numbers of runs that all began after this call: a first success from now on can be of a run that was under
    /// way.
    pub(crate) fn fresh(&self) -> Metrics {
        self.recovers();
        self.recovers()
    }

    pub(crate) fn within(&self, patience: Duration, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        let began = Instant::now();
        loop {
            let in_time = began.elapsed() < patience;
            let metrics = self.metrics();
            if holds(&metrics) {
                return metrics;
            }
            assert!(in_time, "waited {patience:?} in vain: {what}: {}", self.page());
            thread::sleep(Duration::from_millis(25));
        }
    }

    /// Ends the process and judges its answers; returns what it has logged.
    pub(crate) fn end(self) -> String {
        self.over.store(true, Ordering::Relaxed);
        let took = self.prober.join().expect("every scrape is answered");
        let (status, _, log) = self.process.end("TERM");
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        let (slowest, _) = took.iter().max().unwrap();
        let own: Vec<Duration> = took.iter().map(|(took, queued)| took.saturating_sub(*queued)).collect();
        let latest = own.iter().max().unwrap();
        eprintln!("{} answers, the slowest after {slowest:?}, of which {latest:?} its own", took.len());
        let in_a_row = own.windows(2).find(|pair| pair.iter().all(|own| *own >= PROMISE));
        assert!(in_a_row.is_none() && *latest < EXCUSABLE, "late: {latest:?}, {in_a_row:?}");
        log
    }
}

const FAILURES: &str = "marie_collector_failures_total";

/// The collectors and lanes that have runs.
fn running(metrics: &Metrics) -> impl Iterator<Item = [(&'static str, &'static str); 2]> {
    let all = COLLECTORS
        .iter()
        .flat_map(|collector| Lane::ALL.map(|lane| [("collector", collector.name), ("lane", lane.label())]));
    all.filter(|labels| metrics.value("marie_collector_interval_seconds", labels).is_some())
}

/// Whether the database is reached and every collector that runs has succeeded since then.
fn is_fresh(metrics: &Metrics, since: f64) -> bool {
    let succeeded = |labels: [(&str, &str); 2]| {
        metrics.value("marie_collector_success", &labels) == Some(1.0)
            && metrics.value("marie_collector_last_success_timestamp_seconds", &labels) >= Some(since)
    };
    metrics.value("marie_up", &[]) == Some(1.0)
        && running(metrics).count() > 5
        && running(metrics).all(succeeded)
}

/// How long the threads of a process, and the one that asks, have been ready to run without a core to run on. Zero
/// where the kernel does not say.
fn time_in_queue(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let of_process = tasks.map(|task| task.path());
    let all = of_process.chain([PathBuf::from("/proc/thread-self")]).filter_map(|task| {
        let text = fs::read_to_string(task.join("schedstat")).ok()?;
        text.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    Duration::from_nanos(all.sum())
}
