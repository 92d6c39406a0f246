//! The settings of a transaction, rendered into the one text that begins it.
//!
//! SET LOCAL is used because PgBouncer drops start-up options. The search path holds no schema in which another role
//! may create functions, operators or tables: statements name Marie's schema. It is the same in every transaction,
//! because another one would plan each prepared statement again.
//!
//! With `row_security` off PostgreSQL refuses to read a table of which a policy could keep rows back. Where policies keep
//! nothing back, [`Schema::permit_policies`](crate::schema::Schema::permit_policies) permits them.

use std::time::Duration;

/// Lock queues are first come, first served: while a reader waits behind a TRUNCATE or a migration, everything behind
/// that statement waits as well. So it gives up early and the next run tries again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the client waits beyond the server's statement time-out.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// The settings of one kind of transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    pub mode: Mode,
    /// Bounds each single statement.
    pub statement_timeout: Duration,
    pub lock_timeout: Duration,
    /// How long the server keeps the transaction open while no statement runs; unlimited where zero.
    pub idle_timeout: Duration,
    pub plans: Plans,
    /// Whether the planner may read whole tables where an index exists.
    pub may_scan: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reads one instant of the database.
    Read,
    /// May change rows.
    Write,
}

/// The value of `plan_cache_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plans {
    /// One plan for all arguments. With hundreds of partitions, planning takes longer than running.
    Generic,
    /// A plan for the arguments of each execution: a filter that is not used costs nothing.
    Custom,
    /// PostgreSQL chooses.
    Auto,
}

impl Transaction {
    /// A transaction that reads one instant, as the lanes and the reading commands use it.
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

    /// The statements that begin it. The last one returns the process id of the server's session.
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
