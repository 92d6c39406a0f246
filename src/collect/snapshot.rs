//! The latest samples of each collector, kept as the bytes that scrapes share. A scrape never sees half a
//! family, never waits for a run, and never sees samples that have outlived their time.

pub mod gzip;
mod page;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::time::Instant;

pub use self::page::{Page, Text};
use crate::collect::collector::{Collector, Lane, QuerySamples};
use crate::collect::queue_labels::OTHER;
use crate::metrics::{Kind, Samples, encode};

/// Planners with series of their own; the rest is summed as `other`. Clients name planners.
const PLANNERS: usize = 50;

/// Text is made of the answers under the first lock and put in place under the second, so that a scrape,
/// which takes only the second, waits for no more than a few pointers. In this order where both are held.
#[derive(Debug, Default)]
pub struct Snapshot {
    answers: Mutex<BTreeMap<&'static str, Answers>>,
    published: RwLock<BTreeMap<&'static str, Published>>,
}

/// What a collector's queries gave last, by query: one that changes lanes replaces its answer, whichever
/// lane gave it.
type Answers = BTreeMap<&'static str, Held>;

#[derive(Debug)]
struct Held {
    answer: QuerySamples,
    /// The lane that it ran in.
    lane: Lane,
    /// When it ceases to be true.
    expires: Instant,
}

/// What a scrape gets of a collector.
#[derive(Debug, Default)]
struct Published {
    text: Arc<Text>,
    series: usize,
    /// When the first of the answers in it ceases to be true.
    expires: Option<Instant>,
}

impl Snapshot {
    /// Takes the answers of a whole run in place of those of the lane's run before; they are published until
    /// `expires`.
    ///
    /// # Errors
    /// When the samples cannot be encoded; the collector then publishes nothing.
    pub fn replace(
        &self,
        collector: &Collector,
        lane: Lane,
        answers: Vec<QuerySamples>,
        expires: Instant,
    ) -> prometheus::Result<()> {
        self.change(collector.name, |held| {
            held.retain(|_, held| held.lane != lane);
            hold(held, answers, lane, expires);
        })
    }

    /// Takes the answers of a run that failed later: what it did not come to stays until its time is up.
    ///
    /// # Errors
    /// As of [`Snapshot::replace`].
    pub fn update(
        &self,
        collector: &Collector,
        lane: Lane,
        answers: Vec<QuerySamples>,
        expires: Instant,
    ) -> prometheus::Result<()> {
        self.change(collector.name, |held| hold(held, answers, lane, expires))
    }

    /// Takes away what one lane contributed: the collector is off, or its queries run in the other lane now.
    pub fn forget(&self, collector: &Collector, lane: Lane) {
        // Less of what could be encoded before can be encoded too.
        let _ = self.change(collector.name, |held| held.retain(|_, held| held.lane != lane));
    }

    /// Returns the texts of all collectors as they are true now. A scrape that has received them is recorded with
    /// [`Page::record_scrape`].
    pub fn page(&self) -> Page {
        let now = Instant::now();
        let stale: Vec<&'static str> = {
            let published = self.published.read();
            let is_stale = |published: &Published| published.expires.is_some_and(|expires| expires <= now);
            published.iter().filter(|(_, published)| is_stale(published)).map(|(name, _)| *name).collect()
        };
        for name in stale {
            let _ = self.change(name, |_| {});
        }
        let published = self.published.read();
        Page(published.values().map(|published| Arc::clone(&published.text)).collect())
    }

    /// Returns when a scrape first received the text that the collector published last.
    pub fn first_scrape(&self, collector: &Collector) -> Option<Instant> {
        let published = self.published.read();
        published.get(collector.name).and_then(|published| published.text.first_scrape())
    }

    /// Whether a scrape has received the text that the collector published last.
    pub fn was_scraped(&self, collector: &Collector) -> bool {
        self.first_scrape(collector).is_some()
    }

    /// How many series each collector publishes.
    pub fn series(&self) -> Vec<(&'static str, usize)> {
        let published = self.published.read();
        published.iter().map(|(name, published)| (*name, published.series)).collect()
    }

    /// Changes a collector's answers and publishes what is true of them now.
    fn change(&self, collector: &'static str, change: impl FnOnce(&mut Answers)) -> prometheus::Result<()> {
        let mut answers = self.answers();
        let held = answers.entry(collector).or_default();
        change(held);
        let now = Instant::now();
        held.retain(|_, held| now < held.expires);
        let rendered = render(collector, held);
        let (published, outcome) = match rendered {
            Ok(published) => (published, Ok(())),
            Err(error) => (Published::default(), Err(error)),
        };
        self.published.write().insert(collector, published);
        outcome
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<&'static str, Answers>> {
        self.answers.lock()
    }
}

fn hold(held: &mut Answers, answers: Vec<QuerySamples>, lane: Lane, expires: Instant) {
    held.extend(answers.into_iter().map(|answer| (answer.query, Held { answer, lane, expires })));
}

fn render(collector: &str, held: &Answers) -> prometheus::Result<Published> {
    let families: Vec<Samples> = QuerySamples::merged(held.values().map(|held| &held.answer))
        .into_iter()
        .map(|samples| match samples.family.kind {
            Kind::Gauge => samples.busiest("planner", PLANNERS, OTHER),
            // What was counted under a label stays there, or it would seem to have been reset.
            Kind::Counter | Kind::Histogram => samples,
        })
        .collect();
    let origin =
        format!("Collector {collector}, refreshed on an interval (marie_collector_interval_seconds).");
    Ok(Published {
        text: Arc::new(Text::new(encode(&families, &origin)?.into())),
        series: families.iter().map(Samples::series).sum(),
        expires: held.values().map(|held| held.expires).min(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::collect::collectors::statistics::COLLECTOR;

    /// One job in this state, as a query would give it.
    fn job(query: &'static str, state: &str) -> Vec<QuerySamples> {
        let mut samples: Vec<Samples> =
            COLLECTOR.families.iter().map(|family| Samples::new(family)).collect();
        samples[0].insert(vec!["extract".to_owned(), state.to_owned()], 1.0).unwrap();
        vec![QuerySamples { query, samples }]
    }

    fn text(snapshot: &Snapshot) -> String {
        let page = snapshot.page();
        String::from_utf8(page.0.iter().flat_map(|text| text.bytes.to_vec()).collect()).unwrap()
    }

    fn states(snapshot: &Snapshot) -> Vec<String> {
        let text = text(snapshot);
        let state = |line: &str| Some(line.split_once("state=\"")?.1.split('"').next()?.to_owned());
        text.lines().filter_map(state).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn family_parts_of_both_lanes_merge_and_expire_apart() {
        let snapshot = Snapshot::default();
        let end = |seconds| Instant::now() + Duration::from_secs(seconds);
        snapshot.replace(&COLLECTOR, Lane::Slow, job("finished.sql", "completed"), end(30)).unwrap();
        snapshot.replace(&COLLECTOR, Lane::Fast, job("statistics.sql", "active"), end(10)).unwrap();
        assert_eq!(states(&snapshot), ["active", "completed"]);
        assert_eq!(text(&snapshot).matches("# TYPE marie_jobs ").count(), 1);
        assert_eq!(snapshot.series(), [("statistics", 2)]);

        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(states(&snapshot), ["completed"]);
        snapshot.replace(&COLLECTOR, Lane::Fast, job("statistics.sql", "retry"), end(10)).unwrap();
        assert_eq!(states(&snapshot), ["completed", "retry"]);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(text(&snapshot), "");
        assert_eq!(snapshot.series(), [("statistics", 0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn first_scrape_is_kept_until_text_is_replaced() {
        let snapshot = Snapshot::default();
        let end = Instant::now() + Duration::from_mins(1);
        snapshot.replace(&COLLECTOR, Lane::Fast, job("statistics.sql", "active"), end).unwrap();
        let page = snapshot.page();
        assert!(!snapshot.was_scraped(&COLLECTOR), "a page that was not sent is no scrape");
        page.record_scrape();
        let first = snapshot.first_scrape(&COLLECTOR);
        assert_eq!(first, Some(Instant::now()));
        tokio::time::advance(Duration::from_secs(15)).await;
        snapshot.page().record_scrape();
        assert_eq!(snapshot.first_scrape(&COLLECTOR), first, "the second scrape does not move it");
        snapshot.replace(&COLLECTOR, Lane::Fast, job("statistics.sql", "retry"), end).unwrap();
        page.record_scrape();
        assert!(!snapshot.was_scraped(&COLLECTOR), "a late end of an earlier text's scrape does not count");
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_lane_forgets_the_other_keeps() {
        let snapshot = Snapshot::default();
        let end = Instant::now() + Duration::from_secs(10);
        snapshot.replace(&COLLECTOR, Lane::Slow, job("finished.sql", "completed"), end).unwrap();
        snapshot.replace(&COLLECTOR, Lane::Fast, job("statistics.sql", "active"), end).unwrap();
        snapshot.forget(&COLLECTOR, Lane::Slow);
        assert_eq!(states(&snapshot), ["active"]);
        snapshot.forget(&COLLECTOR, Lane::Fast);
        assert_eq!(text(&snapshot), "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_changes_lanes_is_not_counted_twice() {
        let snapshot = Snapshot::default();
        let end = Instant::now() + Duration::from_secs(10);
        snapshot.replace(&COLLECTOR, Lane::Slow, job("finished.sql", "completed"), end).unwrap();
        snapshot.replace(&COLLECTOR, Lane::Fast, job("finished.sql", "completed"), end).unwrap();
        assert!(text(&snapshot).contains("state=\"completed\"} 1\n"), "{}", text(&snapshot));
        // What the lane that it left forgets is not its answer any more.
        snapshot.forget(&COLLECTOR, Lane::Slow);
        assert_eq!(states(&snapshot), ["completed"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_failed_run_did_not_come_to_stays_for_its_time() {
        let snapshot = Snapshot::default();
        let end = |seconds| Instant::now() + Duration::from_secs(seconds);
        let both = || job("statistics.sql", "active").into_iter().chain(job("waiting.sql", "retry"));
        snapshot.replace(&COLLECTOR, Lane::Fast, both().collect(), end(10)).unwrap();
        snapshot.update(&COLLECTOR, Lane::Fast, job("statistics.sql", "created"), end(20)).unwrap();
        assert_eq!(states(&snapshot), ["created", "retry"]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(states(&snapshot), ["created"]);
        snapshot.replace(&COLLECTOR, Lane::Fast, job("waiting.sql", "retry"), end(10)).unwrap();
        assert_eq!(states(&snapshot), ["retry"], "a whole run says everything");
    }
}
