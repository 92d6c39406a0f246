//! The fault matrix: after a time without faults, all faults begin at once, each in its own scenario or queue.
//!
//! The test fails if an unexpected alert fires or an expected notification is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;

use crate::alerting::cases::{Alert, Case, Fault, cases};
use crate::alerting::panels;
use crate::alerting::receiver::Notification;
use crate::alerting::report::{self, Outcome};
use crate::alerting::scenario::Scenario;
use crate::alerting::stack::{Stack, until};
use crate::alerting::time_scale::TimeScale;

/// Durations in production time. The longest `for` of an alert is 20 minutes, the longest range 30 minutes.
const HEALTHY: Duration = Duration::from_mins(5);
const FAULTY: Duration = Duration::from_mins(28);
const REPAIRED: Duration = Duration::from_mins(45);

/// Longest wait until everything has started, on a loaded machine too.
const START: Duration = Duration::from_mins(3);

/// Name, number of exporters and server of each scenario.
const SCENARIOS: [(&str, usize, usize); 10] = [
    ("calm", 1, 0),
    ("marie", 1, 0),
    ("pair", 2, 0),
    ("halved", 2, 0),
    ("away", 1, 0),
    ("silent", 1, 0),
    ("blind", 1, 0),
    ("severed", 1, 1),
    // Their open transactions delay the counting of events on the whole server.
    ("open", 1, 2),
    ("locked", 1, 2),
];

/// An alert that fired: the scenario, the alert's name, its queue.
type Fired = (String, String, String);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_sends_only_its_expected_notifications() {
    let scale = TimeScale::from_environment();
    let mut matrix = Matrix::build(scale).await;
    let stack = Stack::start(scale, &matrix.ports());
    for job in matrix.scenarios.keys() {
        let seen = format!("queue_state:marie_jobs:max{{job=\"{job}\"}}");
        until(&format!("{job} is seen"), START, || !stack.prometheus.query(&seen).is_empty());
    }
    // A Prometheus that has not scraped yet may fire alerts for absent targets.
    until("no alert fires", START, || nothing_fires(&stack));
    let began = Instant::now();
    std::thread::sleep(scale.shorten(HEALTHY));
    assert_eq!(fired(&stack, began, scale), BTreeSet::new(), "left: alerts without a fault");

    let cases = cases();
    let began = Instant::now();
    let since = matrix.inject(&cases, began).await;
    std::thread::sleep((began + scale.shorten(FAULTY)).saturating_duration_since(Instant::now()));
    assert_eq!(fired(&stack, began, scale), expected(&cases), "left: fired alerts; right: expected alerts");
    for case in cases.iter().filter(|case| !case.is_transient) {
        for &alert in case.pages.iter().chain(case.tickets) {
            let resolved = stack.receiver.notifications().into_iter().find(|(_, sent)| {
                sent.is_resolved() && sent.at > began && is_about(sent, case.scenario, alert)
            });
            assert!(resolved.is_none(), "{}: resolved before the repair: {resolved:?}", case.what);
        }
    }
    panels::assert_all_have_data(&stack, began, scale);

    let repaired = Instant::now();
    matrix.repair(&cases).await;
    if report::writes_page() {
        until("all alerts are resolved", scale.shorten(REPAIRED), || nothing_fires(&stack));
    }
    let outcomes: Vec<(&Case, Outcome)> = cases
        .iter()
        .zip(since)
        .map(|(case, since)| (case, outcome(&stack, case, since, repaired, scale)))
        .collect();
    report::publish(&outcomes, scale);
}

/// All scenarios and their servers.
struct Matrix {
    scenarios: BTreeMap<&'static str, Scenario>,
    servers: [Server; 3],
    scale: TimeScale,
}

impl Matrix {
    async fn build(scale: TimeScale) -> Self {
        let servers = [(); 3].map(|()| Server::start().unwrap());
        let mut scenarios = BTreeMap::new();
        for (name, exporters, server) in SCENARIOS {
            scenarios.insert(name, Scenario::build(&servers[server], name, exporters, scale).await);
        }
        Matrix { scenarios, servers, scale }
    }

    fn ports(&self) -> BTreeMap<&str, Vec<u16>> {
        self.scenarios.iter().map(|(name, scenario)| (*name, scenario.ports.clone())).collect()
    }

    /// Starts the fault of each case at its time; returns when each began.
    async fn inject(&mut self, cases: &[Case], began: Instant) -> Vec<Instant> {
        let mut since = vec![began; cases.len()];
        let mut order: Vec<usize> = (0..cases.len()).collect();
        order.sort_by_key(|&index| cases[index].after);
        for index in order {
            let case = &cases[index];
            let due = began + self.scale.shorten(Duration::from_mins(case.after));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let scenario = self.scenarios.get_mut(case.scenario).unwrap();
            match &case.fault {
                Fault::Nothing => {}
                Fault::Run { cause, .. } => scenario.run(cause).await,
                Fault::LeaveOpen(statement) => scenario.leave_open(statement).await,
                Fault::StopExporter(number) => scenario.stop(*number),
                Fault::StopServer => self.servers[1].stop().unwrap(),
                Fault::PauseScheduler => scenario.pause_scheduler(true),
            }
            since[index] = Instant::now();
        }
        since
    }

    async fn repair(&mut self, cases: &[Case]) {
        for case in cases {
            let scenario = self.scenarios.get_mut(case.scenario).unwrap();
            match &case.fault {
                Fault::Nothing => {}
                Fault::Run { repair, .. } => scenario.run(repair).await,
                Fault::LeaveOpen(_) => scenario.end_open_transaction(),
                Fault::StopExporter(number) => scenario.start(*number),
                Fault::StopServer => self.servers[1].start_again().unwrap(),
                Fault::PauseScheduler => scenario.pause_scheduler(false),
            }
        }
    }
}

fn nothing_fires(stack: &Stack) -> bool {
    stack.prometheus.query("ALERTS{alertstate=\"firing\"}").is_empty()
}

/// Returns the alerts that have fired since then.
fn fired(stack: &Stack, since: Instant, scale: TimeScale) -> BTreeSet<Fired> {
    let series = stack.prometheus.query_since("ALERTS{alertstate=\"firing\"}", since, scale.interval());
    let value =
        |labels: &BTreeMap<String, String>, label: &str| labels.get(label).cloned().unwrap_or_default();
    series
        .iter()
        .map(|one| (value(&one.labels, "job"), value(&one.labels, "alertname"), value(&one.labels, "queue")))
        .collect()
}

fn expected(cases: &[Case]) -> BTreeSet<Fired> {
    let mut expected = BTreeSet::new();
    for case in cases {
        for (name, queue) in [case.pages, case.tickets, case.inhibited].concat() {
            expected.insert((case.scenario.to_owned(), name.to_owned(), queue.to_owned()));
        }
    }
    expected
}

/// Returns the notifications of a case. Waits until its pages are resolved, and its tickets too if the page is written.
fn outcome(stack: &Stack, case: &Case, since: Instant, repaired: Instant, scale: TimeScale) -> Outcome {
    let mut outcome = Outcome::default();
    let repaired = if case.is_transient { since } else { repaired };
    for (receiver, alerts) in [("pages", case.pages), ("tickets", case.tickets)] {
        for &alert in alerts {
            let notifications = |is_resolved: bool, after: Instant| -> Vec<Notification> {
                let matching = stack.receiver.notifications().into_iter().filter(|(to, sent)| {
                    to == receiver
                        && sent.is_resolved() == is_resolved
                        && sent.at > after
                        && is_about(sent, case.scenario, alert)
                });
                matching.map(|(_, sent)| sent).collect()
            };
            let what = format!("{}: {}", case.what, alert.0);
            let firing = notifications(false, since);
            let Some(first) = firing.first() else { panic!("{what}: no notification") };
            assert!(first.annotations["summary"].contains(alert.1), "its queue is not named: {first:?}");
            let is_aggregated = !first.labels.contains_key("instance");
            assert!(is_aggregated || alert.1.is_empty(), "one alert per exporter for a queue: {first:?}");
            outcome.fired.insert(alert, first.at - since);
            if report::writes_page() || receiver == "pages" {
                let is_resolved = || !notifications(true, repaired).is_empty();
                until(&format!("{what} is resolved"), scale.shorten(REPAIRED), is_resolved);
            }
            let ends = notifications(true, repaired).into_iter().map(|sent| sent.at - repaired);
            outcome.resolved = ends.fold(outcome.resolved, Duration::max);
        }
    }
    for &alert in case.inhibited {
        // Alertmanager also sends the end of suppressed alerts, so only firing ones count.
        let is_firing = |sent: &Notification| !sent.is_resolved() && is_about(sent, case.scenario, alert);
        let sent = stack.receiver.notifications().into_iter().find(|(_, sent)| is_firing(sent));
        assert!(sent.is_none(), "{}: not suppressed: {sent:?}", case.what);
    }
    outcome
}

fn is_about(sent: &Notification, scenario: &str, (name, queue): Alert) -> bool {
    let label = |label: &str| sent.labels.get(label).map_or("", String::as_str);
    (label("job"), label("alertname"), label("queue")) == (scenario, name, queue)
}
