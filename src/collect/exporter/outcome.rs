//! The result of one run of a collector.

use std::time::Duration;

use crate::collect::collector::QuerySamples;
use crate::postgres::Failure;

pub(super) enum Outcome {
    Collected(Vec<QuerySamples>, Cost),
    /// None of the collector's queries runs in this lane on this database.
    NotHere,
    /// The samples are of the queries before the one that failed.
    Failed(Vec<QuerySamples>, Failure, Cost),
    /// No transaction could be opened.
    NotReached(Failure),
}

/// How long a run kept the database busy.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    /// Time of all statements of the run.
    pub(super) busy: Duration,
    /// Time of the collector's own queries, which the load budget limits.
    ///
    /// Reading the schema and the queue inventory serves all collectors. It must not slow down the one that happens to run
    /// when these are due.
    pub(super) own: Duration,
}
