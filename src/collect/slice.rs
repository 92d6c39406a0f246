//! Slices of a pass: the rows of one, and how many DAGs, jobs or pages the next one covers. The size is adapted both ways,
//! so that a statement takes about [`TARGET`].

use std::time::Duration;

use sqlx::postgres::PgRow;

/// How long the statement of one slice should take.
pub const TARGET: Duration = Duration::from_millis(200);

/// Largest growth from one slice to the next.
const MAX_GROWTH: f64 = 4.0;

/// Share of the size that remains after a time-out.
const AFTER_TIMEOUT: i64 = 4;

/// The rows of one slice.
pub(crate) struct Slice {
    pub(crate) rows: Vec<PgRow>,
    /// Whether the pass is complete with it.
    pub(crate) is_last: bool,
}

/// Size of the next slice, between a smallest and a largest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceSize {
    size: i64,
    smallest: i64,
    largest: i64,
}

impl SliceSize {
    pub const fn new(first: i64, smallest: i64, largest: i64) -> Self {
        SliceSize { size: first, smallest, largest }
    }

    /// Returns the size of the next slice.
    pub fn get(self) -> i64 {
        self.size
    }

    /// Returns the size in a unit of which each other one has so many.
    #[must_use]
    pub const fn in_smaller_units(self, each: i64) -> Self {
        SliceSize {
            size: self.size.saturating_mul(each),
            smallest: self.smallest.saturating_mul(each),
            largest: self.largest.saturating_mul(each),
        }
    }

    /// Adapts the size after a slice that took so long.
    pub fn adapt(&mut self, took: Duration) {
        let growth = (TARGET.as_secs_f64() / took.as_secs_f64().max(1e-6)).min(MAX_GROWTH);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "sizes are far below 2^52"
        )]
        let size = (self.size as f64 * growth) as i64;
        self.size = size.clamp(self.smallest, self.largest);
    }

    /// Shrinks the size after a slice that exceeded the statement time-out. Returns whether it could.
    pub fn shrink(&mut self) -> bool {
        let before = self.size;
        self.size = (self.size / AFTER_TIMEOUT).max(self.smallest);
        self.size < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_follows_the_target_both_ways() {
        let mut size = SliceSize::new(1_000, 10, 50_000);
        size.adapt(TARGET / 2);
        assert_eq!(size.get(), 2_000);
        size.adapt(TARGET * 4);
        assert_eq!(size.get(), 500);
        size.adapt(Duration::ZERO);
        assert_eq!(size.get(), 2_000, "one fast slice multiplies the size by four at most");
        size.adapt(TARGET * 1_000);
        assert_eq!(size.get(), 10);
        assert!(!size.shrink());
    }

    #[test]
    fn timeout_shrinks_the_size_to_a_quarter() {
        let mut size = SliceSize::new(1_000, 10, 50_000);
        assert!(size.shrink());
        assert_eq!(size.get(), 250);
    }
}
