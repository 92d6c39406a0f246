//! The result of one run of a collector.

use std::time::Duration;

use crate::collect::collector::QuerySamples;
use crate::postgres::Failure;

/// What came of a turn.
pub(super) enum Outcome {
    Collected(Vec<QuerySamples>, Cost),
    /// It has no query in this lane here.
    NotHere,
    /// The answers are of the queries before the one that failed.
    Failed(Vec<QuerySamples>, Failure, Cost),
    /// The database was not even reached.
    NotReached(Failure),
}

/// How long a run kept the database busy.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    /// In all.
    pub(super) busy: Duration,
    /// With the collector's own queries. Schema and inventory are for all of them, and no reason to run the one
    /// less often whose turn it was when they were due.
    pub(super) own: Duration,
}
