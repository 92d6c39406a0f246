//! Number of rows that one statement reads of a history. It shrinks after a statement timed out, and grows again after
//! several slices were read in time.

/// Takes the database a fraction of a second, and the exporter a few megabytes of memory.
const MAX_ROWS: i64 = 50_000;

const MIN_ROWS: i64 = 100;

/// Number of slices read in time after which the size doubles.
const SLICES_BEFORE_GROWTH: u32 = 8;

/// Rows of a slice, adapted to the server's speed.
#[derive(Debug, Clone, Copy)]
pub struct SliceSize {
    rows: i64,
    most: i64,
    /// Number of slices read in time since the size changed.
    in_time: u32,
}

impl Default for SliceSize {
    fn default() -> Self {
        SliceSize::at_most(MAX_ROWS)
    }
}

impl SliceSize {
    pub fn at_most(most: i64) -> Self {
        SliceSize { rows: most, most, in_time: 0 }
    }

    pub fn rows(self) -> i64 {
        self.rows
    }

    /// Shrinks the size after a time-out.
    pub(super) fn shrink(&mut self) {
        self.rows = (self.rows / 4).max(MIN_ROWS.min(self.most));
        self.in_time = 0;
    }

    /// Notes a slice that was read in time, and grows the size after several of them.
    pub(super) fn note_success(&mut self) {
        self.in_time = self.in_time.saturating_add(1);
        if self.in_time >= SLICES_BEFORE_GROWTH {
            self.rows = self.rows.saturating_mul(2).min(self.most);
            self.in_time = 0;
        }
    }
}
