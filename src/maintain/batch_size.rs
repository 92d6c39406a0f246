//! The number of rows in a batch, and the pause after it. Used for jobs and for history.

use std::time::Duration;

/// Shortest pause between two batches.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// How long a batch should keep its rows locked at most. With expensive foreign keys `--batch` rows take longer.
const LONGEST: Duration = Duration::from_millis(500);

/// Rows of a batch: as many as the user has requested, or fewer while batches take too long.
pub(super) struct BatchSize {
    rows: u32,
    max: u32,
}

impl BatchSize {
    pub(super) fn new(max: u32) -> Self {
        BatchSize { rows: max, max }
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// Halves the size after a batch that took too long. Doubles it after one that took less than half of that time.
    pub(super) fn adapt(&mut self, took: Duration) {
        if took > LONGEST {
            self.rows = (self.rows / 2).max(1);
        } else if took < LONGEST / 2 {
            self.rows = self.rows.saturating_mul(2).min(self.max);
        }
    }
}

/// Returns the pause after a batch: as long as the batch, so that replicas and other sessions keep up.
pub(super) fn pause_after(took: Duration) -> Duration {
    took.max(SHORTEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_batches_shrink_and_fast_ones_grow_back() {
        let mut size = BatchSize::new(1000);
        let mut after = |millis| {
            size.adapt(Duration::from_millis(millis));
            size.rows()
        };
        assert_eq!([700, 600, 400, 100, 100, 100].map(&mut after), [500, 250, 250, 500, 1000, 1000]);
        for _ in 0..20 {
            after(900);
        }
        assert_eq!(after(900), 1);
    }
}
