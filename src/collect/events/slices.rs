//! How many rows of history are read at once: fewer where the statement time-out strikes, more again when all goes
//! well.

/// A fraction of a second of work, and a few megabytes of memory.
const MOST: i64 = 50_000;

const FEWEST: i64 = 100;

/// Slices in a row after which twice as many rows are tried.
const GOOD_SLICES: u32 = 8;

#[derive(Debug, Clone, Copy)]
pub struct SliceSize {
    rows: i64,
    most: i64,
    /// Slices that were read in time since the size changed.
    good: u32,
}

impl Default for SliceSize {
    fn default() -> Self {
        SliceSize::at_most(MOST)
    }
}

impl SliceSize {
    pub fn at_most(most: i64) -> Self {
        SliceSize { rows: most, most, good: 0 }
    }

    pub fn rows(self) -> i64 {
        self.rows
    }

    pub(super) fn timed_out(&mut self) {
        self.rows = (self.rows / 4).max(FEWEST.min(self.most));
        self.good = 0;
    }

    pub(super) fn was_read(&mut self) {
        self.good = self.good.saturating_add(1);
        if self.good >= GOOD_SLICES {
            self.rows = self.rows.saturating_mul(2).min(self.most);
            self.good = 0;
        }
    }
}
