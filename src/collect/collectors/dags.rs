//! DAGs by planner and state, stalled DAGs, and the progress of the oldest active ones. A DAG's planner is a label. Its name
//! is not, because each DAG has another one.

use sqlx::Arguments;

use super::statistics::DEPENDENCIES_FROM_JSON;
use super::{BACKLOG, UNFINISHED, sendable_text};
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::{Collector, Division, Optional, Query};
use crate::collect::pace::Pace;
use crate::metrics::{Family, Kind, Merge};
use crate::schema::{Index, Need};

pub static COLLECTOR: Collector = Collector {
    name: "dags",
    about: "DAGs by state, stalled ones, and progress",
    families: &[&DAGS, &DAGS_STALLED, &OLDEST_ACTIVE_DAG, &DAG_PROGRESS, &DAG_JOBS],
    joint: &[],
    queries: &[
        Query {
            sql: sql!("dags.sql"),
            needs: &[Need::Columns("dag", &["state"])],
            optional: &[PLANNER, optional!("dag"."started_on": "timestamptz")],
            ..OVER_DAGS
        },
        Query {
            by_queue: &[&DAGS_STALLED],
            needs: &[
                Need::Columns("dag", &["id", "state"]),
                Need::Columns("job", &["id", "name", "dag_id", "state"]),
            ],
            fallbacks: &[DEPENDENCIES_FROM_JSON],
            division: Division::ByQueueWithParents,
            ..BACKLOG
        },
        Query {
            sql: sql!("dag_progress.sql"),
            optional: &[PLANNER, optional!("dag"."started_on": "timestamptz")],
            needs: &[Need::Columns("dag", &["id", "state"]), Need::Columns("job", &["dag_id", "state"])],
            wanted: |config| config.dags_progress_limit > 0,
            index: Some(Index { table: "job", columns: &["dag_id"], predicate: None }),
            arguments: |context| {
                let mut arguments = sendable_text(context)?;
                arguments.add(i64::from(context.config.dags_progress_limit))?;
                Ok(arguments)
            },
            ..OVER_DAGS
        },
        Query {
            sql: sql!("dags_finished.sql"),
            needs: &[Need::Columns("dag", &["state"])],
            optional: &[PLANNER],
            pace: Pace::History,
            index: Some(Index { table: "dag", columns: &["planner", "state"], predicate: None }),
            ..OVER_DAGS
        },
    ],
};

/// Column that older databases lack.
pub(crate) const PLANNER: Optional = optional!("dag"."planner": "text");

const OVER_DAGS: Query = Query {
    index: Some(Index {
        table: "dag",
        columns: &["id"],
        predicate: Some("state not in ('completed', 'failed', 'cancelled')"),
    }),
    division: Division::Whole,
    arguments: sendable_text,
    ..UNFINISHED
};

static DAGS: Family = Family {
    name: "marie_dags",
    kind: Kind::Gauge,
    labels: &["planner", "state"],
    help: "DAGs by planner (unknown where none is named; beyond the busiest 50 as other) and state. Completed, failed \
           and cancelled ones are counted with the history and fall when DAGs are purged.",
    merge: Merge::Sum,
};

pub(crate) static DAGS_STALLED: Family = Family {
    name: "marie_dags_stalled",
    kind: Kind::Gauge,
    labels: &["reason"],
    help: "Unfinished DAGs that nothing will move: no job is active, ready or deferred. Each under the first reason \
           that holds: no_jobs (its jobs are gone), failed_job (one failed), no_runnable_job.",
    merge: Merge::Sum,
};

static OLDEST_ACTIVE_DAG: Family = Family {
    name: "marie_oldest_active_dag_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "Unix time at which the longest-running DAG in state active was started; absent where none is active.",
    merge: Merge::Min,
};

static DAG_PROGRESS: Family = Family {
    name: "marie_dag_progress_ratio",
    kind: Kind::Gauge,
    labels: &["dag_id", "planner"],
    help: "Share of the DAG's jobs that are finished (completed, skipped, failed, expired or cancelled), for the \
           oldest active DAGs. Off unless --dags.progress-limit is set: each DAG is a new series.",
    merge: Merge::Max,
};

static DAG_JOBS: Family = Family {
    name: "marie_dag_jobs",
    kind: Kind::Gauge,
    labels: &["dag_id", "planner", "state"],
    help: "Jobs of the DAG by state, for the DAGs of marie_dag_progress_ratio.",
    merge: Merge::Sum,
};
