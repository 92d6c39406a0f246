//! Jobs by queue and state, and waiting jobs by what they wait for.
//!
//! The same family has its states at three paces: active jobs at the pulse, waiting ones from the pass over unfinished jobs,
//! finished ones from the pass over the history.

use super::{BACKLOG, FINISHED, QUEUE, UNFINISHED};
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::{Collector, Division, Fallback, Query};
use crate::collect::pace::Pace;
use crate::metrics::{Family, Kind, Merge};
use crate::schema::Need;

pub static COLLECTOR: Collector = Collector {
    name: "statistics",
    about: "Jobs by queue and state; ready, deferred and blocked work",
    families: &[
        &JOBS,
        &JOBS_READY,
        &JOBS_DEFERRED,
        &JOBS_BLOCKED,
        &OLDEST_WAITING_JOB,
        &OLDEST_READY_JOB,
        &OLDEST_ACTIVE_JOB,
    ],
    joint: &[],
    queries: &[
        Query {
            by_queue: &[&JOBS, &OLDEST_WAITING_JOB],
            needs: &[Need::Columns("job", &["id", "name", "state", "created_on"])],
            ..BACKLOG
        },
        Query {
            by_queue: &[&JOBS_READY, &JOBS_DEFERRED, &JOBS_BLOCKED, &OLDEST_READY_JOB],
            needs: &[Need::Columns("job", &["id", "name", "state", "created_on", "completed_on"])],
            optional: &[optional!("job"."start_after": "timestamptz"), optional!("job"."dag_id": "uuid")],
            fallbacks: &[NO_DAGS, DEPENDENCIES_FROM_JSON],
            division: Division::ByQueueWithParents,
            ..BACKLOG
        },
        Query {
            sql: sql!("active.sql"),
            pace: Pace::Pulse,
            by_queue: &[&JOBS, &OLDEST_ACTIVE_JOB],
            needs: &[Need::Columns("job", &["name", "state", "started_on"])],
            ..UNFINISHED
        },
        Query { by_queue: &[&JOBS], needs: &[Need::Columns("job", &["name", "state"])], ..FINISHED },
    ],
};

/// Without the table of DAGs, no DAG counts as finished.
pub const NO_DAGS: Fallback = Fallback {
    table: "dag",
    instead_of: &[Need::Columns("dag", &["id", "state"])],
    sql: include_str!("fallbacks/dag.sql"),
    needs: &[],
};

/// Without the table `job_dependencies`, parents are read from each job's own list.
pub const DEPENDENCIES_FROM_JSON: Fallback = Fallback {
    table: "job_dependencies",
    instead_of: &[Need::Columns(
        "job_dependencies",
        &["job_name", "job_id", "depends_on_name", "depends_on_id"],
    )],
    sql: include_str!("fallbacks/job_dependencies.sql"),
    needs: &[Need::Columns("job", &["dependencies"])],
};

pub(crate) static JOBS: Family = Family {
    name: "marie_jobs",
    kind: Kind::Gauge,
    labels: &[QUEUE, "state"],
    help: "Jobs in the scheduler's job table, by queue and state. Active jobs are counted at the pulse, waiting \
           ones (created, retry) with the backlog, finished ones with the history; the latter fall when jobs are reset or purged.",
    merge: Merge::Sum,
};

pub(crate) static JOBS_READY: Family = Family {
    name: "marie_jobs_ready",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Waiting jobs (created or retry) that a worker could take now: start_after has passed, the DAG is \
           unfinished, every parent completed or skipped. Cannot see the workers' free slots.",
    merge: Merge::Sum,
};

pub(crate) static JOBS_DEFERRED: Family = Family {
    name: "marie_jobs_deferred",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Waiting jobs (created or retry) whose start_after is in the future and that nothing else blocks. Retries are \
           in it until their start_after, although the scheduler's memory restarts them after two seconds.",
    merge: Merge::Sum,
};

pub(crate) static JOBS_BLOCKED: Family = Family {
    name: "marie_jobs_blocked",
    kind: Kind::Gauge,
    labels: &[QUEUE, "reason"],
    help: "Waiting jobs (created or retry) that cannot start, each under the first reason that holds: dag_finished \
           (left behind, runs only if the gateway restarts), parent_failed (a parent failed, expired or was cancelled; \
           likewise), dependency (a parent is unfinished). Ready, deferred and blocked jobs are together the created and retry ones.",
    merge: Merge::Sum,
};

pub(crate) static OLDEST_WAITING_JOB: Family = Family {
    name: "marie_oldest_waiting_job_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE, "state"],
    help: "Unix time at which the oldest job in state created or retry was created; absent where none waits.",
    merge: Merge::Min,
};

pub(crate) static OLDEST_READY_JOB: Family = Family {
    name: "marie_oldest_ready_job_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Unix time since which the longest-ready job could have been started: the latest of its creation, its \
           start_after and its last parent's completion; absent where none is ready.",
    merge: Merge::Min,
};

static OLDEST_ACTIVE_JOB: Family = Family {
    name: "marie_oldest_active_job_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Unix time at which the longest-running active job was started, by its latest attempt; absent where none \
           is active.",
    merge: Merge::Min,
};
