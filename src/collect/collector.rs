//! Definition of a collector: a name, families, and the queries that fill them.
//!
//! One rule maps rows to samples: *a column named like a family holds its value, a column named like a label holds that
//! label, NULL means no sample* (`samples`). A collector is declared as data. Flags, documentation, self metrics and tests
//! follow from the declaration. CONTRIBUTING.md says how to add one.
//!
//! Neighbours: [`collectors`](crate::collect::collectors) has the declarations, [`schema`](crate::schema) says which needs a
//! database meets, and the [`exporter`](crate::collect::exporter) runs the queries.

mod by_queue;
pub(crate) mod declare;
pub mod definition;
mod locks;
mod optional;
mod samples;
mod statement;

use std::collections::BTreeSet;

use sqlx::postgres::{PgArguments, PgRow};

use self::definition::Definition;
pub use self::optional::Optional;
use self::samples::{map_rows, relabel_queues};
use crate::collect::pace::{Pace, PassKind};
use crate::collect::queue_labels::{self, QueueLabels};
use crate::config::Config;
use crate::metrics::{Family, Samples};
use crate::postgres::{Failure, Reason, Run};
use crate::schema::{Index, Lack, Need, Schema};

/// A named set of queries and the families that they fill. It can be switched off.
#[derive(Debug)]
pub struct Collector {
    /// Name in `--collector.NAME` and in the label `collector`.
    pub name: &'static str,
    /// Short description for `--help`, the documentation and the status page.
    pub about: &'static str,
    pub families: &'static [&'static Family],
    pub queries: &'static [Query],
    /// Families with samples from several paces that are published only while each of these paces has results.
    pub joint: &'static [(&'static Family, &'static [Pace])],
}

/// One statement whose rows become samples of one or more families of its collector.
#[derive(Debug)]
pub struct Query {
    pub sql: SqlFile,
    pub pace: Pace,
    /// The pass whose statement returns the rows, `None` for a statement of its own.
    pub pass: Option<PassKind>,
    /// Whether the configuration enables the query.
    pub wanted: fn(&Config) -> bool,
    /// The families of a query with rows by queue, empty for other queries. The database merges the rows of queues without
    /// series of their own ([`by_queue`]). For a query with a pass, all families that it fills.
    pub by_queue: &'static [&'static Family],
    /// Columns that are read if they exist, and are NULL if not.
    pub optional: &'static [Optional],
    /// Requirements without which the query is skipped.
    pub needs: &'static [Need],
    /// Constant SQL in place of tables that may not exist.
    pub fallbacks: &'static [Fallback],
    /// Common table expressions that the query shares with others.
    pub definitions: &'static [Definition],
    /// Index that keeps the query cheap.
    pub index: Option<Index>,
    pub division: Division,
    /// Returns the values for $1, $2, …
    pub arguments: fn(&Context<'_>) -> Result<PgArguments, sqlx::error::BoxDynError>,
}

/// A file with one SQL statement. Its name is in errors and in the output of `check`.
#[derive(Debug)]
pub struct SqlFile {
    pub name: &'static str,
    pub text: &'static str,
}

/// How a query over `job` is divided between transactions, if one transaction must not lock all partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Division {
    /// By groups of queues: the rows of all groups together are the result.
    ByQueue,
    /// By groups of queues, each with the queues of the parents of its jobs.
    ByQueueWithParents,
    /// Not at all, because the jobs of a DAG can be in any queue. One transaction reads the queues that have a job.
    Whole,
}

/// A common table expression that a query reads in place of a table, because the database does not have the table or one
/// of its columns.
#[derive(Debug)]
pub struct Fallback {
    /// Name of the table and of the expression.
    pub table: &'static str,
    /// The fallback is used if one of these is missing, or if the list is empty.
    pub instead_of: &'static [Need],
    /// `table (columns) as (select …)`.
    pub sql: &'static str,
    pub needs: &'static [Need],
}

/// The samples that one run of a query produced.
#[derive(Debug)]
pub struct QuerySamples {
    /// Name of the SQL file.
    pub query: &'static str,
    /// One element for each family of the collector, in their order. Families that the query does not fill are empty.
    pub samples: Vec<Samples>,
}

/// Input of a run besides the database.
pub struct Context<'a> {
    pub config: &'a Config,
    pub schema: &'a Schema,
    pub queues: &'a QueueLabels,
}

impl Query {
    /// Returns what this query reads on this database: its own needs, or those of the fallbacks in use.
    pub fn needs_here(&self, schema: &Schema) -> impl Iterator<Item = &'static Need> {
        let replaceable = self
            .fallbacks
            .iter()
            .flat_map(|fallback| if fallback.is_used(schema) { fallback.needs } else { fallback.instead_of });
        let optional = self.optional.iter().filter(|column| !schema.is_missing(&column.need));
        let defined = self.definitions.iter().flat_map(|definition| definition.needs);
        self.needs.iter().chain(defined).chain(replaceable).chain(optional.map(|column| &column.need))
    }

    /// Returns the first unmet need, a missing object before a missing right, or the lack of locks.
    pub fn lack(&self, schema: &Schema) -> Option<Lack> {
        let mut lacks = self.needs_here(schema).filter_map(|need| schema.lack(need));
        let Some(first) = lacks.next() else { return self.lack_of_locks(schema) };
        if !first.is_permission() {
            return Some(first);
        }
        Some(lacks.find(|lack| !lack.is_permission()).unwrap_or(first))
    }

    pub fn is_indexed(&self, schema: &Schema) -> bool {
        self.index.is_none_or(|index| schema.has_index(&index))
    }
}

impl Fallback {
    /// Whether the fallback replaces the table on this database.
    ///
    /// A table that exists but may not be read is never replaced: the result would be zero although rows exist.
    pub(crate) fn is_used(&self, schema: &Schema) -> bool {
        self.instead_of.is_empty() || self.instead_of.iter().any(|need| schema.is_missing(need))
    }
}

impl Collector {
    /// Returns the queries that the configuration enables.
    pub fn wanted_queries<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = &'static Query> + 'a {
        self.queries.iter().filter(|query| (query.wanted)(config))
    }

    /// Returns the queries with statements of their own that run at this pace on this database.
    pub fn queries_at<'a>(
        &'a self,
        pace: Pace,
        config: &'a Config,
        schema: &'a Schema,
    ) -> impl Iterator<Item = &'static Query> + 'a {
        let runs_here =
            move |query: &&Query| query.pass.is_none() && query.pace == pace && query.lack(schema).is_none();
        self.wanted_queries(config).filter(runs_here)
    }

    /// Whether the queries of one pace can share a transaction: whether their locks together are within the limit.
    pub fn fits_one_transaction(&self, pace: Pace, config: &Config, schema: &Schema) -> bool {
        let tables: BTreeSet<&str> =
            self.queries_at(pace, config, schema).flat_map(|query| query.tables(schema)).collect();
        schema.locks(tables) <= schema.locks_allowed
    }

    /// Whether a run needs the queue labels. Other collectors do not read the table `queue`, so a lock on it cannot fail
    /// them.
    pub fn is_by_queue(&self) -> bool {
        self.families.iter().any(|family| family.labels.contains(&queue_labels::LABEL))
    }

    /// Whether one of the queries has this pace.
    pub fn has_pace(&self, pace: Pace) -> bool {
        self.queries.iter().any(|query| query.pace == pace)
    }

    /// Returns why none of the queries can run on this database, `None` if one can.
    pub fn lack(&self, config: &Config, schema: &Schema) -> Option<Lack> {
        let lacks: Option<Vec<Lack>> = self.wanted_queries(config).map(|query| query.lack(schema)).collect();
        let lacks = lacks?;
        // A missing right comes first, because the operator can grant it.
        lacks.iter().find(|lack| lack.is_permission()).or(lacks.first()).cloned()
    }

    /// Runs the queries of one pace in the transaction of `run` and adds their results to `samples`, up to the first
    /// failure.
    ///
    /// # Errors
    /// The first failure. A value that cannot be decoded is a failure, never a zero.
    pub async fn collect(
        &self,
        pace: Pace,
        run: &mut Run,
        context: &Context<'_>,
        samples: &mut Vec<QuerySamples>,
    ) -> Result<(), Failure> {
        let mut queues = context.queues.clone();
        for query in self.queries_at(pace, context.config, context.schema) {
            let rows = query.fetch(run, context).await?;
            samples.push(self.map_rows(query, &rows, &mut queues)?);
        }
        Ok(())
    }
}

impl Collector {
    /// Maps a query's rows to samples, under the labels of their queues.
    ///
    /// # Errors
    /// If a row does not fit the families that its columns name.
    pub fn map_rows(
        &self,
        query: &Query,
        rows: &[PgRow],
        queues: &mut QueueLabels,
    ) -> Result<QuerySamples, Failure> {
        let samples = map_rows(query, self.families, rows)
            .map_err(|error| Failure::new(Reason::Other, format!("{}: {error}", query.sql.name)))?;
        let samples = samples.into_iter().map(|samples| relabel_queues(samples, queues)).collect();
        Ok(QuerySamples { query: query.sql.name, samples })
    }
}

impl QuerySamples {
    /// Merges the results of a collector's queries, by family.
    pub fn merged<'a>(results: impl IntoIterator<Item = &'a QuerySamples>) -> Vec<Samples> {
        let mut merged: Vec<Samples> = Vec::new();
        for result in results {
            if merged.is_empty() {
                merged.clone_from(&result.samples);
            } else {
                for (total, more) in merged.iter_mut().zip(&result.samples) {
                    total.absorb(more.clone());
                }
            }
        }
        merged
    }
}
