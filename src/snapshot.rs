//! The latest samples of each collector, kept as the bytes that a scrape copies. A scrape never sees half a
//! family, never waits for a run, and never sees samples that have outlived their time.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use hyper::body::Bytes;
use tokio::time::Instant;

use crate::collector::{Collector, Lane};
use crate::family::{Samples, encode};
use crate::queues::OTHER;

/// Planners with series of their own; the rest is summed as `other`. Clients name planners.
const PLANNERS: usize = 50;

/// One slot for each collector. The lock is held to copy or to replace a slot's bytes, never across a query,
/// so a plain one does.
#[derive(Debug, Default)]
pub struct Snapshot(RwLock<BTreeMap<&'static str, Slot>>);

#[derive(Debug, Default)]
struct Slot {
    /// What each lane's queries gave last, and when it ceases to be true.
    parts: BTreeMap<Lane, (Vec<Samples>, Instant)>,
    text: Bytes,
    series: usize,
    /// When the first of the parts ceases to be true.
    expires: Option<Instant>,
}

impl Snapshot {
    /// Replaces what one lane contributes to a collector; it is published until `expires`.
    ///
    /// # Errors
    /// When the samples cannot be encoded; the collector then publishes what it did before.
    pub fn replace(
        &self,
        collector: &Collector,
        lane: Lane,
        samples: Vec<Samples>,
        expires: Instant,
    ) -> prometheus::Result<()> {
        let mut slots = self.write();
        let slot = slots.entry(collector.name).or_default();
        slot.parts.insert(lane, (samples, expires));
        slot.render(collector.name, Instant::now())
    }

    /// Takes away what one lane contributed: the collector is off, or its queries run in the other lane now.
    pub fn forget(&self, collector: &Collector, lane: Lane) {
        let mut slots = self.write();
        if let Some(slot) = slots.get_mut(collector.name)
            && slot.parts.remove(&lane).is_some()
        {
            slot.render_or_clear(collector.name, Instant::now());
        }
    }

    /// The text of all collectors as it is true now.
    pub fn text(&self) -> Vec<Bytes> {
        let now = Instant::now();
        let is_fresh = |slot: &Slot| slot.expires.is_none_or(|expires| now < expires);
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if slots.values().all(is_fresh) {
            return slots.values().map(|slot| slot.text.clone()).collect();
        }
        drop(slots);
        let mut slots = self.write();
        for (name, slot) in slots.iter_mut().filter(|(_, slot)| !is_fresh(slot)) {
            slot.render_or_clear(name, now);
        }
        slots.values().map(|slot| slot.text.clone()).collect()
    }

    /// How many series each collector publishes.
    pub fn series(&self) -> Vec<(&'static str, usize)> {
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().map(|(name, slot)| (*name, slot.series)).collect()
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<&'static str, Slot>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn render(&mut self, collector: &str, now: Instant) -> prometheus::Result<()> {
        self.parts.retain(|_, (_, expires)| now < *expires);
        let mut families: Vec<Samples> = Vec::new();
        for (samples, _) in self.parts.values() {
            if families.is_empty() {
                families.clone_from(samples);
            } else {
                for (mine, more) in families.iter_mut().zip(samples) {
                    mine.absorb(more.clone());
                }
            }
        }
        let families: Vec<Samples> =
            families.into_iter().map(|samples| samples.busiest("planner", PLANNERS, OTHER)).collect();
        let origin =
            format!("Collector {collector}, refreshed on an interval (marie_collector_interval_seconds).");
        self.text = encode(&families, &origin)?.into();
        self.series = families.iter().map(Samples::len).sum();
        self.expires = self.parts.values().map(|(_, expires)| *expires).min();
        Ok(())
    }

    fn render_or_clear(&mut self, collector: &str, now: Instant) {
        if self.render(collector, now).is_err() {
            *self = Slot::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::collectors::statistics::COLLECTOR;

    /// One job in this state, as the lane's queries would give it.
    fn job(state: &str) -> Vec<Samples> {
        let mut samples: Vec<Samples> =
            COLLECTOR.families.iter().map(|family| Samples::new(family)).collect();
        samples[0].insert(vec!["extract".to_owned(), state.to_owned()], 1.0).unwrap();
        samples
    }

    fn text(snapshot: &Snapshot) -> String {
        String::from_utf8(snapshot.text().concat()).unwrap()
    }

    fn states(snapshot: &Snapshot) -> Vec<String> {
        let text = text(snapshot);
        let state = |line: &str| Some(line.split_once("state=\"")?.1.split('"').next()?.to_owned());
        text.lines().filter_map(state).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn both_lanes_parts_of_a_family_are_one_and_each_vanishes_in_its_time() {
        let snapshot = Snapshot::default();
        let end = |seconds| Instant::now() + Duration::from_secs(seconds);
        snapshot.replace(&COLLECTOR, Lane::Slow, job("completed"), end(30)).unwrap();
        snapshot.replace(&COLLECTOR, Lane::Fast, job("active"), end(10)).unwrap();
        assert_eq!(states(&snapshot), ["active", "completed"]);
        assert_eq!(text(&snapshot).matches("# TYPE marie_jobs ").count(), 1);
        assert_eq!(snapshot.series(), [("statistics", 2)]);

        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(states(&snapshot), ["completed"]);
        snapshot.replace(&COLLECTOR, Lane::Fast, job("retry"), end(10)).unwrap();
        assert_eq!(states(&snapshot), ["completed", "retry"]);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(text(&snapshot), "");
        assert_eq!(snapshot.series(), [("statistics", 0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_lane_forgets_the_other_keeps() {
        let snapshot = Snapshot::default();
        let end = Instant::now() + Duration::from_secs(10);
        snapshot.replace(&COLLECTOR, Lane::Slow, job("completed"), end).unwrap();
        snapshot.replace(&COLLECTOR, Lane::Fast, job("active"), end).unwrap();
        snapshot.forget(&COLLECTOR, Lane::Slow);
        assert_eq!(states(&snapshot), ["active"]);
        snapshot.forget(&COLLECTOR, Lane::Fast);
        assert_eq!(text(&snapshot), "");
    }
}
