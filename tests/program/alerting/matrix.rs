//! The fault matrix: all troubles at once, each in a house or a queue of its own, after a while in which all is well.
//! Whatever fires and is not expected fails the test, and so does what is expected and is not told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;

use crate::alerting::house::House;
use crate::alerting::pace::Pace;
use crate::alerting::panels;
use crate::alerting::receiver::Told;
use crate::alerting::report::{self, Outcome};
use crate::alerting::stack::{Stack, until};
use crate::alerting::troubles::{Alert, Deed, Trouble, troubles};

/// All of the field's time. The longest that an alert waits for here is 20 minutes, the longest that one looks back
/// 30.
const HEALTHY: Duration = Duration::from_mins(5);
const TROUBLED: Duration = Duration::from_mins(28);
const MENDED: Duration = Duration::from_mins(45);

/// Until everything has started, on a loaded machine too.
const START: Duration = Duration::from_mins(3);

/// Which houses there are, how many exporters each has, and on which server it stands.
const HOUSES: [(&str, usize, usize); 10] = [
    ("calm", 1, 0),
    ("marie", 1, 0),
    ("pair", 2, 0),
    ("halved", 2, 0),
    ("away", 1, 0),
    ("silent", 1, 0),
    ("blind", 1, 0),
    ("severed", 1, 1),
    // What stays open there holds up the counting of events on the whole server.
    ("open", 1, 2),
    ("locked", 1, 2),
];

/// A house's alert: the house, the alert's name, its queue.
type Fired = (String, String, String);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_trouble_and_nothing_else_reaches_on_call() {
    let pace = Pace::chosen();
    let mut town = Town::build(pace).await;
    let stack = Stack::start(pace, &town.ports());
    for job in town.houses.keys() {
        let seen = format!("queue_state:marie_jobs:max{{job=\"{job}\"}}");
        until(&format!("{job} is seen"), START, || !stack.prometheus.query(&seen).is_empty());
    }
    // A Prometheus that has just started and has scraped nobody yet may say so.
    until("nothing is amiss", START, || nothing_fires(&stack));
    let began = Instant::now();
    std::thread::sleep(pace.of(HEALTHY));
    assert_eq!(fired(&stack, began, pace), BTreeSet::new(), "all is well");

    let troubles = troubles();
    let began = Instant::now();
    let since = town.let_loose(&troubles, began).await;
    std::thread::sleep((began + pace.of(TROUBLED)).saturating_duration_since(Instant::now()));
    assert_eq!(fired(&stack, began, pace), expected(&troubles), "what fired, and what was to");
    for trouble in troubles.iter().filter(|trouble| !trouble.passes) {
        for &alert in trouble.pages.iter().chain(trouble.tickets) {
            let about = |told: &Told| told.at > began && is_about(told, trouble.house, alert);
            let over = stack.receiver.told().into_iter().find(|(_, told)| told.is_over() && about(told));
            assert!(over.is_none(), "{}: nothing is mended, but {over:?}", trouble.what);
        }
    }
    panels::every_panel_shows_something(&stack, began, pace);

    let mended = Instant::now();
    town.mend(&troubles).await;
    if report::writes_page() {
        until("all is over", pace.of(MENDED), || nothing_fires(&stack));
    }
    let outcomes: Vec<(&Trouble, Outcome)> = troubles
        .iter()
        .zip(since)
        .map(|(trouble, since)| (trouble, outcome(&stack, trouble, since, mended, pace)))
        .collect();
    report::tell(&outcomes, pace);
}

/// All that troubles are let loose on.
struct Town {
    houses: BTreeMap<&'static str, House>,
    servers: [Server; 3],
    pace: Pace,
}

impl Town {
    async fn build(pace: Pace) -> Self {
        let servers = [(); 3].map(|()| Server::start().unwrap());
        let mut houses = BTreeMap::new();
        for (name, exporters, server) in HOUSES {
            houses.insert(name, House::build(&servers[server], name, exporters, pace).await);
        }
        Town { houses, servers, pace }
    }

    fn ports(&self) -> BTreeMap<&str, Vec<u16>> {
        self.houses.iter().map(|(name, house)| (*name, house.ports.clone())).collect()
    }

    /// Says of each trouble when it began.
    async fn let_loose(&mut self, troubles: &[Trouble], began: Instant) -> Vec<Instant> {
        let mut since = vec![began; troubles.len()];
        let mut order: Vec<usize> = (0..troubles.len()).collect();
        order.sort_by_key(|&index| troubles[index].after);
        for index in order {
            let trouble = &troubles[index];
            let due = began + self.pace.of(Duration::from_mins(trouble.after));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let house = self.houses.get_mut(trouble.house).unwrap();
            match &trouble.deed {
                Deed::Nothing => {}
                Deed::Run { cause, .. } => house.run(cause).await,
                Deed::LeaveOpen(statement) => house.leave_open(statement).await,
                Deed::StopExporter(number) => house.stop(*number),
                Deed::StopServer => self.servers[1].stop().unwrap(),
                Deed::PauseScheduler => house.pause_scheduler(true),
            }
            since[index] = Instant::now();
        }
        since
    }

    async fn mend(&mut self, troubles: &[Trouble]) {
        for trouble in troubles {
            let house = self.houses.get_mut(trouble.house).unwrap();
            match &trouble.deed {
                Deed::Nothing => {}
                Deed::Run { mend, .. } => house.run(mend).await,
                Deed::LeaveOpen(_) => house.let_go(),
                Deed::StopExporter(number) => house.start(*number),
                Deed::StopServer => self.servers[1].start_again().unwrap(),
                Deed::PauseScheduler => house.pause_scheduler(false),
            }
        }
    }
}

fn nothing_fires(stack: &Stack) -> bool {
    stack.prometheus.query("ALERTS{alertstate=\"firing\"}").is_empty()
}

/// The alerts that have fired since then.
fn fired(stack: &Stack, since: Instant, pace: Pace) -> BTreeSet<Fired> {
    let series = stack.prometheus.query_since("ALERTS{alertstate=\"firing\"}", since, pace.interval());
    let of = |labels: &BTreeMap<String, String>, label: &str| labels.get(label).cloned().unwrap_or_default();
    series
        .iter()
        .map(|one| (of(&one.labels, "job"), of(&one.labels, "alertname"), of(&one.labels, "queue")))
        .collect()
}

fn expected(troubles: &[Trouble]) -> BTreeSet<Fired> {
    let mut expected = BTreeSet::new();
    for trouble in troubles {
        for (name, queue) in [trouble.pages, trouble.tickets, trouble.quiet].concat() {
            expected.insert((trouble.house.to_owned(), name.to_owned(), queue.to_owned()));
        }
    }
    expected
}

/// What was told of a trouble. Waits until that is over: usually for the pages, for the document's table for the tickets too.
fn outcome(stack: &Stack, trouble: &Trouble, since: Instant, mended: Instant, pace: Pace) -> Outcome {
    let mut outcome = Outcome::default();
    let mended = if trouble.passes { since } else { mended };
    for (receiver, alerts) in [("pages", trouble.pages), ("tickets", trouble.tickets)] {
        for &alert in alerts {
            let told = |is_over: bool, after: Instant| -> Vec<Told> {
                let told = stack.receiver.told().into_iter().filter(|(to, told)| {
                    to == receiver
                        && told.is_over() == is_over
                        && told.at > after
                        && is_about(told, trouble.house, alert)
                });
                told.map(|(_, told)| told).collect()
            };
            let what = format!("{}: {}", trouble.what, alert.0);
            let told_first = told(false, since);
            let Some(first) = told_first.first() else { panic!("{what} was told to nobody") };
            assert!(first.annotations["summary"].contains(alert.1), "its queue is not named: {first:?}");
            let is_of_all = !first.labels.contains_key("instance");
            assert!(is_of_all || alert.1.is_empty(), "told of a queue by each exporter: {first:?}");
            outcome.fired.insert(alert, first.at - since);
            if report::writes_page() || receiver == "pages" {
                until(&format!("{what} is over"), pace.of(MENDED), || !told(true, mended).is_empty());
            }
            let ends = told(true, mended).into_iter().map(|told| told.at - mended);
            outcome.over = ends.fold(outcome.over, Duration::max);
        }
    }
    for &alert in trouble.quiet {
        // Alertmanager tells the end even of what it has kept quiet, with the end of what spoke for it.
        let is_loud = |told: &Told| !told.is_over() && is_about(told, trouble.house, alert);
        let loud = stack.receiver.told().into_iter().find(|(_, told)| is_loud(told));
        assert!(loud.is_none(), "{}: to be kept quiet: {loud:?}", trouble.what);
    }
    outcome
}

fn is_about(told: &Told, house: &str, (name, queue): Alert) -> bool {
    let label = |label: &str| told.labels.get(label).map_or("", String::as_str);
    (label("job"), label("alertname"), label("queue")) == (house, name, queue)
}
