//! How many jobs there are in which state, and which of the waiting ones a worker could take now.
//!
//! Unfinished jobs are counted at every run. Finished ones are the history, so their counts have a query
//! of their own in the slow lane: the same family, other states.

use super::{FINISHED, QUEUE, UNFINISHED};
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::definition::WAITING_JOB;
use crate::collect::collector::{Collector, Division, Fallback, Query};
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
            sql: sql!("statistics.sql"),
            by_queue: &[&JOBS, &OLDEST_WAITING_JOB, &OLDEST_ACTIVE_JOB],
            needs: &[Need::Columns("job", &["name", "state", "created_on", "started_on"])],
            ..UNFINISHED
        },
        Query {
            sql: sql!("waiting.sql"),
            by_queue: &[&JOBS_READY, &JOBS_DEFERRED, &JOBS_BLOCKED, &OLDEST_READY_JOB],
            optional: &[optional!("job"."start_after": "timestamptz"), optional!("job"."dag_id": "uuid")],
            fallbacks: &[NO_DAGS, DEPENDENCIES_FROM_JSON],
            definitions: &[WAITING_JOB],
            division: Division::ByQueueWithParents,
            ..UNFINISHED
        },
        Query { by_queue: &[&JOBS], needs: &[Need::Columns("job", &["name", "state"])], ..FINISHED },
    ],
};

/// Where no DAG is known, none is finished.
pub(crate) const NO_DAGS: Fallback = Fallback {
    table: "dag",
    instead_of: &[Need::Columns("dag", &["id", "state"])],
    sql: include_str!("fallbacks/dag.sql"),
    needs: &[],
};

/// Where the trigger that keeps `job_dependencies` is missing, the job's own list tells its parents.
pub(crate) const DEPENDENCIES_FROM_JSON: Fallback = Fallback {
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
    help: "Jobs in the scheduler's job table, by queue and state. Unfinished states (created, retry, active) are \
           counted in the fast lane, finished ones in the slow lane; the latter fall when jobs are reset or purged.",
    merge: Merge::Sum,
};

static JOBS_READY: Family = Family {
    name: "marie_jobs_ready",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Waiting jobs (created or retry) that a worker could take now: start_after has passed, the DAG is \
           unfinished, every parent completed or skipped. Cannot see the workers' free slots.",
    merge: Merge::Sum,
};

static JOBS_DEFERRED: Family = Family {
    name: "marie_jobs_deferred",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Waiting jobs (created or retry) whose start_after is in the future and that nothing else blocks. Retries are \
           in it until their start_after, although the scheduler's memory restarts them after two seconds.",
    merge: Merge::Sum,
};

static JOBS_BLOCKED: Family = Family {
    name: "marie_jobs_blocked",
    kind: Kind::Gauge,
    labels: &[QUEUE, "reason"],
    help: "Waiting jobs (created or retry) that cannot start, each under the first reason that holds: dag_finished \
           (left behind, runs only if the gateway restarts), parent_failed (a parent failed, expired or was cancelled; \
           likewise), dependency (a parent is unfinished). Ready, deferred and blocked jobs are together the created and retry ones.",
    merge: Merge::Sum,
};

static OLDEST_WAITING_JOB: Family = Family {
    name: "marie_oldest_waiting_job_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE, "state"],
    help: "Unix time at which the oldest job in state created or retry was created; absent where none waits.",
    merge: Merge::Min,
};

static OLDEST_READY_JOB: Family = Family {
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
