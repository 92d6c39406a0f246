//! State of the server and of both history tables that a run reads before it reads their rows.

/// Number of history tables. Arrays of this length are in the order of [`NAMES`].
pub(super) const TABLES: usize = 2;
pub(super) const NAMES: [&str; TABLES] = ["job_history", "dag_history"];
/// Index of `job_history` in arrays of all tables.
pub(super) const JOBS: usize = 0;

/// Result of `server_state.sql`, which explains the fields.
#[derive(Debug, Clone)]
pub(super) struct ServerState {
    pub(super) horizon: u64,
    pub(super) ceiling: u64,
    /// Unix time on the database's clock.
    pub(super) at: f64,
    pub(super) in_recovery: bool,
    pub(super) system_identifier: String,
    pub(super) timeline: i64,
    pub(super) database_oid: i64,
}

/// Result of `job_history_end.sql` or `dag_history_end.sql`. All zero if the table cannot be read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct End {
    /// Whether the table can be read here.
    pub(super) is_readable: bool,
    /// The highest `history_id`, 0 if the table is empty.
    pub(super) last: i64,
    /// When the last row was recorded, in microseconds. `None` if its date is invalid.
    pub(super) recorded: Option<i64>,
    /// File of the table, which TRUNCATE, VACUUM FULL and rewrites replace. 0 if the history is partitioned.
    pub(super) file: i64,
    /// The row that the previous run saw last. `None` if it is gone.
    pub(super) seen: Option<SeenRow>,
    pub(super) is_written: bool,
    pub(super) is_disabled: bool,
}

/// The row that the previous run saw last, as it is now.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenRow {
    pub(super) recorded: Option<i64>,
    /// Whether no transaction has written it since the previous run.
    pub(super) is_old: bool,
}
