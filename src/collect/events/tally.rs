//! One series: the counted values, and the values that are published.
//!
//! `increase()` sees an event only if an earlier sample exists, on each Prometheus server that scrapes. Therefore the
//! first published values are held: 0 for a new series, the saved values for a series of the state file. The hold ends
//! some time after the first scrape, so that every server has scraped. Events are counted meanwhile, and published
//! after the hold.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::bounds::database_units;
use crate::metrics::{Distribution, Family, Kind, Value};

/// Numbers of observations and their sum. Whole numbers, so that they stay exact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Observations by bucket. A counter uses only the first.
    counts: Vec<u64>,
    /// Sum of the values, in the database's unit.
    sum: u64,
}

/// Counts of one series.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    counted: Counts,
    stage: Stage,
}

#[derive(Debug, Clone)]
enum Stage {
    /// The first values are published.
    Held { first: Counts, hold: Hold },
    /// The counted values are published.
    Current,
}

/// Progress of the hold.
#[derive(Debug, Clone, Copy)]
enum Hold {
    NotPublished,
    Published,
    Scraped(Instant),
}

impl Default for Stage {
    fn default() -> Self {
        Stage::Held { first: Counts::default(), hold: Hold::NotPublished }
    }
}

impl Tally {
    /// Restores a series of the state file, whose published values were `first`.
    pub(super) fn restored(counted: Counts, first: Counts) -> Self {
        Tally { counted, stage: Stage::Held { first, hold: Hold::NotPublished } }
    }

    /// Adds to a counter.
    pub(super) fn count(&mut self, more: u64) {
        self.add(0, more);
    }

    /// Adds an observation to a histogram with these bounds. A negative value counts as 0.
    pub(super) fn observe(&mut self, value: i64, bounds: &[i64]) {
        self.add(bounds.partition_point(|bound| *bound < value), 1);
        self.counted.sum = self.counted.sum.saturating_add(u64::try_from(value).unwrap_or(0));
    }

    fn add(&mut self, bucket: usize, more: u64) {
        let counts = &mut self.counted.counts;
        if counts.len() <= bucket {
            counts.resize(bucket + 1, 0);
        }
        counts[bucket] = counts[bucket].saturating_add(more);
    }

    /// Notes the time of the first scrape since the series was last published.
    pub(super) fn note_scrape(&mut self, at: Instant) {
        if let Stage::Held { hold: hold @ Hold::Published, .. } = &mut self.stage {
            *hold = Hold::Scraped(at);
        }
    }

    /// Notes that the series is about to be published. Ends the hold if the first scrape was at least `hold_for` ago.
    pub(super) fn publish(&mut self, hold_for: Duration, now: Instant) {
        if let Stage::Held { hold, .. } = &mut self.stage {
            match hold {
                Hold::NotPublished => *hold = Hold::Published,
                Hold::Scraped(since) if now.saturating_duration_since(*since) >= hold_for => {
                    self.stage = Stage::Current;
                }
                Hold::Published | Hold::Scraped(_) => {}
            }
        }
    }

    pub(super) fn counted(&self) -> &Counts {
        &self.counted
    }

    pub(super) fn published(&self) -> &Counts {
        match &self.stage {
            Stage::Held { first, .. } => first,
            Stage::Current => &self.counted,
        }
    }
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "Prometheus's numbers are floats; exact up to 2^53")]
    pub(super) fn value(&self, family: &Family, bounds: &[i64]) -> Value {
        // Buckets after the last one with an observation are not stored.
        let count = |bucket: usize| self.counts.get(bucket).copied().unwrap_or(0);
        match family.kind {
            Kind::Histogram => Value::Distribution(Distribution {
                bounds: bounds.iter().map(|bound| *bound as f64 / database_units(family)).collect(),
                counts: (0..=bounds.len()).map(count).collect(),
                sum: self.sum as f64 / database_units(family),
            }),
            Kind::Counter | Kind::Gauge => Value::Number(count(0) as f64),
        }
    }
}
