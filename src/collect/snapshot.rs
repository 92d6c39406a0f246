//! The snapshot: the latest samples of each collector, as text that all scrapes share.
//!
//! Inputs: the results of queries from the paces, each with the time at which it expires. Output: a [`Page`] for each
//! scrape. A family is replaced as a whole, and an expired sample is never on a page.

pub mod gzip;
mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub use self::page::{Page, Text};
use crate::collect::collector::{Collector, QuerySamples};
use crate::collect::collectors::COLLECTORS;
use crate::collect::pace::Pace;
use crate::collect::queue_labels::OTHER;
use crate::metrics::{Family, Kind, Samples, encode};

/// Planners with series of their own, at most. The rest is summed as `other`, because clients name planners.
const MAX_PLANNERS: usize = 50;

/// Text is rendered under the first lock and replaced under the second. A scrape normally takes only the second, which is
/// held to copy or replace pointers. Code that holds both has taken them in this order.
#[derive(Debug, Default)]
pub struct Snapshot {
    results: Mutex<BTreeMap<&'static str, Results>>,
    published: RwLock<BTreeMap<&'static str, Published>>,
    /// Notified when the time of the next expiry may have changed.
    changed: Notify,
}

/// The latest results of a collector by query. Because the pace is not part of the key, a query that changes paces
/// replaces its result.
type Results = BTreeMap<&'static str, QueryResult>;

#[derive(Debug)]
struct QueryResult {
    samples: QuerySamples,
    /// The pace that the query ran in.
    pace: Pace,
    expires: Instant,
}

/// What a scrape receives of a collector.
#[derive(Debug, Default)]
struct Published {
    text: Arc<Text>,
    series: usize,
    /// When the first of the results in it expires.
    expires: Option<Instant>,
}

impl Published {
    fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Snapshot {
    /// Stores the results of a successful run and removes the other results of the pace.
    ///
    /// # Errors
    /// If the samples cannot be encoded. The collector then publishes nothing.
    pub fn replace(
        &self,
        collector: &Collector,
        pace: Pace,
        samples: Vec<QuerySamples>,
        expires: Instant,
    ) -> prometheus::Result<()> {
        self.change(collector.name, |results| {
            results.retain(|_, result| result.pace != pace);
            store(results, samples, pace, expires);
        })
    }

    /// Stores what a run produced before it failed. Results of queries that it did not reach stay until they expire.
    ///
    /// # Errors
    /// If the samples cannot be encoded. The collector then publishes nothing.
    pub fn update(
        &self,
        collector: &Collector,
        pace: Pace,
        samples: Vec<QuerySamples>,
        expires: Instant,
    ) -> prometheus::Result<()> {
        self.change(collector.name, |results| store(results, samples, pace, expires))
    }

    /// Removes a collector's results of one pace, because none of its queries runs there any more.
    pub fn remove(&self, collector: &Collector, pace: Pace) {
        let has_results = |results: &Results| results.values().any(|result| result.pace == pace);
        // Without this check, the text would be rendered again, and it would count as not scraped.
        if !self.results.lock().get(collector.name).is_some_and(has_results) {
            return;
        }
        // A part of what was encoded before can always be encoded.
        let _ = self.change(collector.name, |results| results.retain(|_, result| result.pace != pace));
    }

    /// Returns the texts of all collectors. [`Page::record_scrape`] records that a scrape has received them.
    ///
    /// Never renders. In the moment between the expiry of some samples and [`Snapshot::remove_expired`], the collector's other
    /// samples are missing too.
    pub fn page(&self) -> Page {
        let now = Instant::now();
        let published = self.published.read();
        let current = published.values().filter(|published| !published.is_expired(now));
        Page(current.map(|published| Arc::clone(&published.text)).collect())
    }

    /// Waits until samples expire.
    pub async fn until_next_expiry(&self) {
        loop {
            let changed = self.changed.notified();
            let next = self.published.read().values().filter_map(|published| published.expires).min();
            let expiry = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = expiry => return,
                () = changed => {}
            }
        }
    }

    /// Renders the collectors again of which samples have expired.
    pub fn remove_expired(&self) {
        let now = Instant::now();
        let expired: Vec<&'static str> = {
            let published = self.published.read();
            published
                .iter()
                .filter(|(_, published)| published.is_expired(now))
                .map(|(name, _)| *name)
                .collect()
        };
        for name in expired {
            // A part of what was encoded before can always be encoded.
            let _ = self.change(name, |_| {});
        }
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

    /// Returns how many series each collector publishes.
    pub fn series(&self) -> Vec<(&'static str, usize)> {
        let published = self.published.read();
        published.iter().map(|(name, published)| (*name, published.series)).collect()
    }

    /// Changes a collector's results, drops expired ones, and publishes the rest.
    fn change(&self, collector: &'static str, change: impl FnOnce(&mut Results)) -> prometheus::Result<()> {
        let mut all_results = self.results.lock();
        let results = all_results.entry(collector).or_default();
        change(results);
        let now = Instant::now();
        results.retain(|_, result| now < result.expires);
        let rendered = render(collector, results);
        let (published, outcome) = match rendered {
            Ok(published) => (published, Ok(())),
            Err(error) => (Published::default(), Err(error)),
        };
        self.published.write().insert(collector, published);
        self.changed.notify_one();
        outcome
    }
}

fn store(results: &mut Results, samples: Vec<QuerySamples>, pace: Pace, expires: Instant) {
    let stored = samples.into_iter().map(|samples| (samples.query, QueryResult { samples, pace, expires }));
    results.extend(stored);
}

fn render(collector: &str, results: &Results) -> prometheus::Result<Published> {
    let families: Vec<Samples> = QuerySamples::merged(results.values().map(|result| &result.samples))
        .into_iter()
        .map(|samples| {
            if lacks_part(collector, results, samples.family) {
                Samples::new(samples.family)
            } else {
                samples
            }
        })
        .map(|samples| match samples.family.kind {
            Kind::Gauge => samples.keep_largest("planner", MAX_PLANNERS, OTHER),
            // Moving a count to another label would look like a counter reset.
            Kind::Counter | Kind::Histogram => samples,
        })
        .collect();
    let origin =
        format!("Collector {collector}, refreshed on an interval (marie_collector_interval_seconds).");
    Ok(Published {
        text: Arc::new(Text::new(encode(&families, &origin)?.into())),
        series: families.iter().map(Samples::series).sum(),
        expires: results.values().map(|result| result.expires).min(),
    })
}

/// Whether the family is published only with results of a pace that has none.
fn lacks_part(collector: &str, results: &Results, family: &Family) -> bool {
    let collector = COLLECTORS.iter().find(|declared| declared.name == collector);
    let joint =
        collector.and_then(|collector| collector.joint.iter().find(|(joint, _)| joint.name == family.name));
    joint.is_some_and(|(_, paces)| {
        !paces.iter().all(|pace| results.values().any(|result| result.pace == *pace))
    })
}
