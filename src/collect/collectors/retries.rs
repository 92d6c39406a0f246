//! Retried jobs and their attempts, and unfinished jobs without a retry left.
//!
//! The attempts divided by the retried jobs are the average of the maintenance page's retry analysis.

use super::{BACKLOG, FINISHED, QUEUE};
use crate::collect::collector::{Collector, Query};
use crate::collect::pace::Pace;
use crate::metrics::{Family, Kind, Merge};
use crate::schema::Need;

const BOTH_PASSES: &[Pace] = &[Pace::Backlog, Pace::History];

pub static COLLECTOR: Collector = Collector {
    name: "retries",
    about: "Retried jobs, their attempts, and jobs without a retry left",
    families: &[&JOBS_RETRIED, &RETRY_ATTEMPTS, &RETRY_ATTEMPTS_MAX, &RETRIES_EXHAUSTED],
    // Sums over finished and unfinished jobs.
    joint: &[
        (&JOBS_RETRIED, BOTH_PASSES),
        (&RETRY_ATTEMPTS, BOTH_PASSES),
        (&RETRY_ATTEMPTS_MAX, BOTH_PASSES),
    ],
    queries: &[
        Query {
            by_queue: &[&JOBS_RETRIED, &RETRY_ATTEMPTS, &RETRY_ATTEMPTS_MAX],
            needs: &[Need::Columns("job", &["name", "state", "retry_count"])],
            ..FINISHED
        },
        Query {
            by_queue: &[&JOBS_RETRIED, &RETRY_ATTEMPTS, &RETRY_ATTEMPTS_MAX],
            needs: &[Need::Columns("job", &["id", "name", "state", "retry_count"])],
            ..BACKLOG
        },
        Query {
            by_queue: &[&RETRIES_EXHAUSTED],
            needs: &[Need::Columns("job", &["id", "name", "state", "retry_count", "retry_limit"])],
            ..BACKLOG
        },
    ],
};

pub(crate) static JOBS_RETRIED: Family = Family {
    name: "marie_jobs_retried",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Jobs of any state with retry_count above 0. The count rises when a job is started again, not when it \
           fails, and is kept by resets.",
    merge: Merge::Sum,
};

pub(crate) static RETRY_ATTEMPTS: Family = Family {
    name: "marie_jobs_retry_attempts",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Sum of retry_count over the jobs that marie_jobs_retried counts; divided by it, their average.",
    merge: Merge::Sum,
};

pub(crate) static RETRY_ATTEMPTS_MAX: Family = Family {
    name: "marie_jobs_retry_attempts_max",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Largest retry_count of a job of any state.",
    merge: Merge::Max,
};

pub(crate) static RETRIES_EXHAUSTED: Family = Family {
    name: "marie_jobs_retries_exhausted",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Unfinished jobs (created, retry, active) whose retry_count has reached retry_limit: the next failure is \
           final.",
    merge: Merge::Sum,
};
