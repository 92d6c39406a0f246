//! Newest signs of life of the scheduler, by which a dead scheduler is distinguished from an idle one.

use super::throughput::BY_COMPLETED_ON;
use super::{BACKLOG, FINISHED, UNFINISHED, no_arguments};
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::{Collector, Query};
use crate::collect::pace::Pace;
use crate::metrics::{Family, Kind, Merge};
use crate::schema::{Index, Need};

pub static COLLECTOR: Collector = Collector {
    name: "scheduler",
    about: "The scheduler's newest signs of life",
    families: &[&LAST_ACTIVITY],
    // An old sign of life of another pace alone would look like a silent scheduler.
    joint: &[(&LAST_ACTIVITY, &[Pace::Pulse])],
    queries: &[
        Query {
            sql: sql!("last_active.sql"),
            needs: &[Need::Columns("job", &["state", "started_on"])],
            optional: &[
                optional!("job"."lease_expires_at": "timestamptz"),
                optional!("job"."run_lease_expires_at": "timestamptz"),
            ],
            ..ANY_JOB
        },
        Query {
            by_queue: &[&LAST_ACTIVITY],
            needs: &[Need::Columns("job", &["id", "name", "state", "started_on"])],
            ..BACKLOG
        },
        Query {
            sql: sql!("last_start_finished.sql"),
            needs: &[Need::Index(BY_STARTED_ON), Need::Columns("job", &["started_on"])],
            index: Some(BY_STARTED_ON),
            ..ANY_JOB
        },
        Query {
            sql: sql!("last_finish.sql"),
            needs: &[Need::Index(BY_COMPLETED_ON), Need::Columns("job", &["completed_on"])],
            index: Some(BY_COMPLETED_ON),
            ..ANY_JOB
        },
        Query { by_queue: &[&LAST_ACTIVITY], needs: &[Need::Columns("job", &["completed_on"])], ..FINISHED },
        Query {
            sql: sql!("last_history.sql"),
            needs: &[Need::Columns(
                "job_history",
                &["history_id", "state", "started_on", "completed_on", "history_created_on"],
            )],
            index: Some(Index { table: "job_history", columns: &["history_id"], predicate: None }),
            ..ANY_JOB
        },
        Query {
            sql: sql!("last_maintenance.sql"),
            needs: &[Need::Columns("version", &["maintained_on", "monitored_on", "cron_on"])],
            index: None,
            ..ANY_JOB
        },
    ],
};

const ANY_JOB: Query = Query { pace: Pace::Pulse, arguments: no_arguments, ..UNFINISHED };

const BY_STARTED_ON: Index = Index { table: "job", columns: &["started_on"], predicate: None };

pub(crate) static LAST_ACTIVITY: Family = Family {
    name: "marie_scheduler_last_activity_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &["activity"],
    help: "Unix time of the scheduler's newest sign of life by kind: start (of a job), finish (of a job), lease (until \
           when the newest lease of an unfinished job holds, now at most), maintenance and cron (as the version table \
           notes them). Absent where there was none. Where completed_on has no index, finish is refreshed with the \
           history unless it shows in the newest 1000 rows of job_history.",
    merge: Merge::Max,
};
