//! What a poll sees of the server and of both history tables before it reads a row.

/// `job_history` and `dag_history`, in this order wherever both are meant.
pub(super) const TABLES: usize = 2;
pub(super) const NAMES: [&str; TABLES] = ["job_history", "dag_history"];
pub(super) const JOBS: usize = 0;

/// The snapshot of a run; see `instant.sql`.
#[derive(Debug, Clone)]
pub(super) struct Instant {
    pub(super) horizon: u64,
    pub(super) ceiling: u64,
    pub(super) at: f64,
    pub(super) in_recovery: bool,
    pub(super) system_identifier: String,
    pub(super) timeline: i64,
    pub(super) database_oid: i64,
}

/// A history table's end; see `job_history_end.sql`. All zero where the table cannot be read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct End {
    /// Whether the table can be read here.
    pub(super) is_here: bool,
    pub(super) last: i64,
    /// When the last row was recorded, in microseconds. `None` if its date is invalid.
    pub(super) recorded: Option<i64>,
    /// Another one after TRUNCATE, VACUUM FULL and rewrites; 0 where the history is partitioned.
    pub(super) file: i64,
    /// The row that was the last at the previous poll.
    pub(super) seen: Option<Seen>,
    pub(super) is_written: bool,
    pub(super) is_disabled: bool,
}

/// A row that is there again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) recorded: Option<i64>,
    /// Whether nothing has written it since the previous poll.
    pub(super) is_old: bool,
}
