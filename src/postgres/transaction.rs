//! Settings of a transaction, and the text that begins it.
//!
//! SET LOCAL is used because PgBouncer drops start-up options. The search path contains no schema in which another role
//! may create functions, operators or tables; statements qualify the names of Marie's schema. It is the same in each
//! transaction, because PostgreSQL plans a prepared statement again after a change.
//!
//! With `row_security` off, PostgreSQL raises an error if a policy could hide rows of a table. Policies that hide nothing
//! are permitted by [`Schema::permit_policies`](crate::schema::Schema::permit_policies).

use std::time::Duration;

/// Time limit for a lock. A reader that waits behind a TRUNCATE or a migration blocks all later statements on that table,
/// so it gives up early and the next run tries again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the client waits beyond the server's statement time-out.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// The settings of one kind of transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    pub mode: Mode,
    /// Time limit of each statement.
    pub statement_timeout: Duration,
    pub lock_timeout: Duration,
    /// How long the server keeps the transaction open while no statement runs. Zero means without limit.
    pub idle_timeout: Duration,
    pub plans: Plans,
    /// Whether the planner may scan a whole table although it has a suitable index.
    pub may_scan: bool,
}

/// Whether a transaction may change rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read only, from one snapshot of the database.
    Read,
    /// May change rows.
    Write,
}

/// The value of `plan_cache_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plans {
    /// One plan for all values. With hundreds of partitions, planning takes longer than execution.
    Generic,
    /// A plan for the values of each execution. Unused filters then cost nothing.
    Custom,
    /// PostgreSQL chooses.
    Auto,
}

impl Transaction {
    /// Returns the settings of `serve` and of the reading commands: read only, from one snapshot.
    pub fn reading(statement_timeout: Duration) -> Self {
        Transaction {
            mode: Mode::Read,
            statement_timeout,
            lock_timeout: LOCK_TIMEOUT.min(statement_timeout / 2),
            idle_timeout: statement_timeout.saturating_add(GRACE),
            plans: Plans::Generic,
            may_scan: true,
        }
    }

    /// Returns the statements that begin it. The last one returns the process id of the server's session.
    pub(super) fn begin_statement(&self) -> String {
        let mode = match self.mode {
            Mode::Read => "ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Mode::Write => "ISOLATION LEVEL READ COMMITTED READ WRITE",
        };
        let plans = match self.plans {
            Plans::Generic => "force_generic_plan",
            Plans::Custom => "force_custom_plan",
            Plans::Auto => "auto",
        };
        format!(
            "BEGIN {mode}; \
             SET LOCAL search_path = pg_catalog, pg_temp; \
             SET LOCAL statement_timeout = {}; \
             SET LOCAL lock_timeout = {}; \
             SET LOCAL idle_in_transaction_session_timeout = {}; \
             SET LOCAL max_parallel_workers_per_gather = 0; \
             SET LOCAL jit = off; \
             SET LOCAL enable_seqscan = {}; \
             SET LOCAL plan_cache_mode = {plans}; \
             SET LOCAL row_security = off; \
             SELECT pg_backend_pid() AS backend;\n",
            self.statement_timeout.as_millis(),
            self.lock_timeout.as_millis(),
            self.idle_timeout.as_millis(),
            if self.may_scan { "on" } else { "off" },
        )
    }
}
