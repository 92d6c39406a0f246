//! Jobs completed in the last hour and day, and each queue's last success and failure.

use super::{FINISHED, QUEUE};
use crate::collect::collector::{Collector, Query};
use crate::metrics::{Family, Kind, Merge};
use crate::schema::{Index, Need};

pub static COLLECTOR: Collector = Collector {
    name: "throughput",
    about: "Jobs completed in the last hour and day; each queue's last success and failure",
    families: &[&COMPLETED_LAST_HOUR, &COMPLETED_LAST_DAY, &LAST_COMPLETED, &LAST_FAILED],
    joint: &[],
    queries: &[Query {
        by_queue: &[&COMPLETED_LAST_HOUR, &COMPLETED_LAST_DAY, &LAST_COMPLETED, &LAST_FAILED],
        needs: &[Need::Columns("job", &["name", "state", "completed_on"])],
        ..FINISHED
    }],
};

/// Serves queries for the latest completions.
pub(crate) const BY_COMPLETED_ON: Index = Index { table: "job", columns: &["completed_on"], predicate: None };

pub(crate) static COMPLETED_LAST_HOUR: Family = Family {
    name: "marie_jobs_completed_last_hour",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Jobs in state completed whose completed_on is within the last hour, control-flow jobs included. Falls \
           when jobs are purged or reset.",
    merge: Merge::Sum,
};

pub(crate) static COMPLETED_LAST_DAY: Family = Family {
    name: "marie_jobs_completed_last_day",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Jobs in state completed whose completed_on is within the last 24 hours, control-flow jobs included. \
           Falls when jobs are purged or reset.",
    merge: Merge::Sum,
};

pub(crate) static LAST_COMPLETED: Family = Family {
    name: "marie_job_last_completed_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Unix time of the newest completed_on among jobs in state completed; absent where there is none. Goes \
           back when that job is purged or reset.",
    merge: Merge::Max,
};

pub(crate) static LAST_FAILED: Family = Family {
    name: "marie_job_last_failed_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Unix time of the newest completed_on among jobs in state failed; absent where there is none. Goes back \
           when that job is purged or reset.",
    merge: Merge::Max,
};
