//! The four shapes of Marie's scheduler database that exist in production, as DDL in `shapes/`. The demo uses `new`; each
//! test of a query runs on all four.

use sqlx::{AssertSqlSafe, PgConnection};

/// A generation of the scheduler's schema, oldest first. `Page` is the one that the maintenance page describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `job` partitioned by queue, seven states; DAGs without a planner.
    Old,
    /// As `Old`, with generated columns and `branch_metadata`: the most common one.
    Mid,
    /// One plain `job` table, `skipped` as eighth state, run leases and `job_attempt`.
    New,
    /// Only the table `job`, with the columns of the page and a text state.
    Page,
}

const DAGS: &str = include_str!("shapes/dags.sql");
const PLANNER: &str = include_str!("shapes/planner.sql");
const OLD: &str = include_str!("shapes/old.sql");
const NEW: &str = include_str!("shapes/new.sql");
const PAGE: &str = include_str!("shapes/page.sql");
const JOBS: &str = include_str!("shapes/jobs.sql");
const MID: &str = include_str!("shapes/mid.sql");
const ATTEMPTS: &str = include_str!("shapes/attempts.sql");
const SLOTS: &str = include_str!("shapes/slots.sql");
const REFRESH: &str = include_str!("shapes/refresh.sql");
const TRIGGERS: &str = include_str!("shapes/triggers.sql");

impl Shape {
    pub const ALL: [Self; 4] = [Self::Old, Self::Mid, Self::New, Self::Page];

    pub fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::Mid => "mid",
            Self::New => "new",
            Self::Page => "page",
        }
    }

    /// Returns the scripts that create the tables in the first schema of the search path, in order.
    pub fn ddl(self) -> &'static [&'static str] {
        match self {
            Self::Old => &[DAGS, OLD, JOBS, REFRESH, TRIGGERS],
            Self::Mid => &[DAGS, PLANNER, OLD, JOBS, MID, SLOTS, REFRESH, TRIGGERS],
            Self::New => &[DAGS, PLANNER, NEW, JOBS, ATTEMPTS, SLOTS, TRIGGERS],
            Self::Page => &[PAGE],
        }
    }

    /// Creates the schema and its tables, and sets the session's search path to it. Runs in the caller's transaction, if
    /// there is one.
    pub async fn install(self, connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
        let schema = crate::config::quote_identifier(schema);
        let prepare = format!("create schema {schema}; set search_path = {schema}, pg_catalog");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await?;
        for script in self.ddl() {
            sqlx::raw_sql(*script).execute(&mut *connection).await?;
        }
        Ok(())
    }
}
