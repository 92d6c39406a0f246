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
