//! What a collector over SQL is, and the one rule by which a row becomes samples: *a column named like a
//! family holds its value, a column named like a label holds that label, NULL means no sample.*
//!
//! A collector is data: a name, its families, its queries. Flags, documentation, the collector's own
//! metrics and the contract tests follow from the declaration; to add one, see CONTRIBUTING.md.

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
use self::samples::{publishable, samples};
use crate::collect::queue_labels::{self, QueueLabels};
use crate::config::Config;
use crate::metrics::{Family, Samples};
use crate::postgres::{Failure, Reason, Run};
use crate::schema::{Index, Lack, Need, Schema};

/// A named set of queries that can be switched off together.
#[derive(Debug)]
pub struct Collector {
    /// As in `--collector.NAME` and the label `collector`.
    pub name: &'static str,
    /// What it answers, in a few words.
    pub about: &'static str,
    pub families: &'static [&'static Family],
    pub queries: &'static [Query],
}

/// One statement, the samples of which belong to one or more families of its collector.
#[derive(Debug)]
pub struct Query {
    pub sql: SqlFile,
    pub pace: Pace,
    /// Whether the configuration asks for it.
    pub wanted: fn(&Config) -> bool,
    /// The families that it serves, where its rows are by queue: those of queues without series of their own are
    /// summed by the database ([`by_queue`]).
    pub by_queue: &'static [&'static Family],
    /// Columns that are read where they exist, and are NULL elsewhere.
    pub optional: &'static [Optional],
    /// Without these the query is left out.
    pub needs: &'static [Need],
    /// Tables that are read where they exist, and what is read instead where not.
    pub fallbacks: &'static [Fallback],
    /// Common table expressions that it shares with other queries.
    pub definitions: &'static [Definition],
    /// The index that keeps it cheap.
    pub index: Option<Index>,
    pub division: Division,
    /// Values for $1, $2, …
    pub arguments: fn(&Context<'_>) -> Result<PgArguments, sqlx::error::BoxDynError>,
}

/// A file of SQL in the collectors' folder; `check` and errors speak of it by name.
#[derive(Debug)]
pub struct SqlFile {
    pub name: &'static str,
    pub text: &'static str,
}

/// Whether a query over `job` can be answered for some of the queues at a time, where one transaction must not lock all
/// partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Division {
    /// The answers for groups of queues are together the answer for all.
    ByQueue,
    /// The same, if the parents of a group's jobs are read too, which can be in other queues.
    ByQueueWithParents,
    /// It looks at DAGs, whose jobs can be in any queue: it is asked for all queues that have a job in one transaction.
    Whole,
    /// The stalled DAGs, which have a way of their own.
    StalledDags,
}

/// What a query's cost follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Unfinished work or the catalog: always in the fast lane.
    Fast,
    /// Unfinished work where the query's index exists, the whole history where not.
    FastWithIndex,
    /// The history, whatever the index.
    Slow,
}

/// The two connections, and with them the two intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    Fast,
    Slow,
}

impl Lane {
    pub const ALL: [Lane; 2] = [Lane::Fast, Lane::Slow];

    pub fn label(self) -> &'static str {
        match self {
            Lane::Fast => "fast",
            Lane::Slow => "slow",
        }
    }
}

/// A common table expression that a query reads instead of a table which this database lacks, or has without some
/// column.
#[derive(Debug)]
pub struct Fallback {
    /// The table that the query names, and the expression's name.
    pub table: &'static str,
    /// Used where one of these is not there; always where none is named.
    pub instead_of: &'static [Need],
    /// `table (columns) as (select …)`.
    pub sql: &'static str,
    pub needs: &'static [Need],
}

/// What one query gave.
#[derive(Debug)]
pub struct QuerySamples {
    /// Its file.
    pub query: &'static str,
    /// One for each family of its collector, in their order; those that it does not serve are empty.
    pub samples: Vec<Samples>,
}

/// What a run knows besides the database.
pub struct Context<'a> {
    pub config: &'a Config,
    pub schema: &'a Schema,
    pub queues: &'a QueueLabels,
}

impl Query {
    /// All that this query needs here: what it reads, or what its fallbacks read instead.
    pub fn needs_here(&self, schema: &Schema) -> impl Iterator<Item = &'static Need> {
        let or_instead = self
            .fallbacks
            .iter()
            .flat_map(|fallback| if fallback.is_used(schema) { fallback.needs } else { fallback.instead_of });
        let optional = self.optional.iter().filter(|column| !schema.is_missing(&column.need));
        let defined = self.definitions.iter().flat_map(|definition| definition.needs);
        self.needs.iter().chain(defined).chain(or_instead).chain(optional.map(|column| &column.need))
    }

    /// What this query lacks here, if anything; what is not there before what may not be read.
    pub fn lack(&self, schema: &Schema) -> Option<Lack> {
        let mut lacks = self.needs_here(schema).filter_map(|need| schema.lack(need));
        let Some(first) = lacks.next() else { return self.lack_of_locks(schema) };
        if !first.is_permission() {
            return Some(first);
        }
        Some(lacks.find(|lack| !lack.is_permission()).unwrap_or(first))
    }

    /// The lane that it runs in here.
    pub fn lane(&self, schema: &Schema) -> Lane {
        match self.pace {
            Pace::Fast => Lane::Fast,
            Pace::FastWithIndex if self.is_indexed(schema) => Lane::Fast,
            Pace::FastWithIndex | Pace::Slow => Lane::Slow,
        }
    }

    /// Whether there is a schema in which it runs in that lane.
    fn may_run_in(&self, lane: Lane) -> bool {
        match self.pace {
            Pace::Fast => lane == Lane::Fast,
            Pace::FastWithIndex => true,
            Pace::Slow => lane == Lane::Slow,
        }
    }

    pub fn is_indexed(&self, schema: &Schema) -> bool {
        self.index.is_none_or(|index| schema.has_index(&index))
    }
}

impl Fallback {
    /// A table that is there and may not be read has no fallback, which would tell of nothing where there is
    /// something.
    pub(crate) fn is_used(&self, schema: &Schema) -> bool {
        self.instead_of.is_empty() || self.instead_of.iter().any(|need| schema.is_missing(need))
    }
}

impl Collector {
    /// The queries that the configuration asks for.
    pub fn wanted_queries<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = &'static Query> + 'a {
        self.queries.iter().filter(|query| (query.wanted)(config))
    }

    /// The queries that run here in `lane`.
    pub fn queries_in<'a>(
        &'a self,
        lane: Lane,
        config: &'a Config,
        schema: &'a Schema,
    ) -> impl Iterator<Item = &'static Query> + 'a {
        let runs_here = move |query: &&Query| query.lack(schema).is_none() && query.lane(schema) == lane;
        self.wanted_queries(config).filter(runs_here)
    }

    /// Whether its queries of one lane may share a transaction: whether their locks together are within the limit.
    pub fn fits_one_transaction(&self, lane: Lane, config: &Config, schema: &Schema) -> bool {
        let tables: BTreeSet<&str> =
            self.queries_in(lane, config, schema).flat_map(|query| query.tables(schema)).collect();
        schema.locks(tables) <= schema.locks_allowed
    }

    /// Whether it has to know the queues; a lock on their table is no business of the others.
    pub fn is_by_queue(&self) -> bool {
        self.families.iter().any(|family| family.labels.contains(&queue_labels::LABEL))
    }

    /// Whether there is a schema in which one of its queries runs in that lane.
    pub fn may_run_in(&self, lane: Lane) -> bool {
        self.queries.iter().any(|query| query.may_run_in(lane))
    }

    /// Why not one of its queries can run here, if so.
    pub fn lack(&self, config: &Config, schema: &Schema) -> Option<Lack> {
        let lacks: Option<Vec<Lack>> = self.wanted_queries(config).map(|query| query.lack(schema)).collect();
        let lacks = lacks?;
        // The operator can give a right, so a right that is lacking is named first.
        lacks.iter().find(|lack| lack.is_permission()).or(lacks.first()).cloned()
    }

    /// Runs its queries of one lane inside the transaction of `run`. The answers up to a failure are good:
    /// a query that takes too long takes none with it but those behind.
    ///
    /// # Errors
    /// The first failure; a value that cannot be decoded is one, never a zero.
    pub async fn collect(
        &self,
        lane: Lane,
        run: &mut Run,
        context: &Context<'_>,
        answers: &mut Vec<QuerySamples>,
    ) -> Result<(), Failure> {
        let mut queues = context.queues.clone();
        for query in self.queries_in(lane, context.config, context.schema) {
            let rows = query.fetch(run, context).await?;
            answers.push(self.map_rows(query, &rows, &mut queues)?);
        }
        Ok(())
    }
}

impl Collector {
    /// Makes samples of a query's rows, under the published names of their queues.
    ///
    /// # Errors
    /// Where a row does not fit the families that it names.
    pub fn map_rows(
        &self,
        query: &Query,
        rows: &[PgRow],
        queues: &mut QueueLabels,
    ) -> Result<QuerySamples, Failure> {
        let samples = samples(query, self.families, rows)
            .map_err(|error| Failure::new(Reason::Other, format!("{}: {error}", query.sql.name)))?;
        let samples = samples.into_iter().map(|samples| publishable(samples, queues)).collect();
        Ok(QuerySamples { query: query.sql.name, samples })
    }
}

impl QuerySamples {
    /// The samples of all answers to one collector's queries, by family.
    pub fn merged<'a>(answers: impl IntoIterator<Item = &'a QuerySamples>) -> Vec<Samples> {
        let mut merged: Vec<Samples> = Vec::new();
        for answer in answers {
            if merged.is_empty() {
                merged.clone_from(&answer.samples);
            } else {
                for (mine, more) in merged.iter_mut().zip(&answer.samples) {
                    mine.absorb(more.clone());
                }
            }
        }
        merged
    }
}
