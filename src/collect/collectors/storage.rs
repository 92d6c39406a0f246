//! Sizes of the scheduler's tables, their last vacuum and analyze, and jobs that the maintenance page's clean-up rules
//! would remove.

use sqlx::Arguments;
use sqlx::postgres::PgArguments;

use super::{FINISHED, UNFINISHED};
use crate::collect::collector::declare::sql;
use crate::collect::collector::{Collector, Query};
use crate::collect::pace::Pace;
use crate::metrics::{Family, Kind, Merge};
use crate::schema::Need;

pub static COLLECTOR: Collector = Collector {
    name: "storage",
    about: "Table sizes, vacuum and analyze, jobs due for clean-up",
    families: &[&TABLE_SIZE, &TABLE_ROWS, &LAST_VACUUM, &LAST_ANALYZE, &CLEANUP_DUE],
    joint: &[],
    queries: &[
        Query {
            sql: sql!("storage.sql"),
            pace: Pace::History,
            index: None,
            arguments: |context| {
                let mut arguments = PgArguments::default();
                arguments.add(context.config.database.schema.as_str())?;
                Ok(arguments)
            },
            ..UNFINISHED
        },
        Query {
            by_queue: &[&CLEANUP_DUE],
            needs: &[Need::Columns("job", &["state", "completed_on"])],
            ..FINISHED
        },
    ],
};

static TABLE_SIZE: Family = Family {
    name: "marie_table_size_bytes",
    kind: Kind::Gauge,
    labels: &["table", "part"],
    help: "Size on disk of the scheduler's tables, all partitions together, by part: heap, indexes, toast.",
    merge: Merge::Sum,
};

static TABLE_ROWS: Family = Family {
    name: "marie_table_rows",
    kind: Kind::Gauge,
    labels: &["table", "kind"],
    help: "The database's own estimate of live and dead rows, all partitions together.",
    merge: Merge::Sum,
};

static LAST_VACUUM: Family = Family {
    name: "marie_table_last_vacuum_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &["table"],
    help: "Unix time of the last vacuum, manual or automatic; of several partitions the one longest ago. Partitions \
           that were never vacuumed are passed over; absent where none was.",
    merge: Merge::Min,
};

static LAST_ANALYZE: Family = Family {
    name: "marie_table_last_analyze_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &["table"],
    help: "Unix time of the last analyze, manual or automatic; of several partitions the one longest ago. Partitions \
           that were never analyzed are passed over; absent where none was.",
    merge: Merge::Min,
};

pub(crate) static CLEANUP_DUE: Family = Family {
    name: "marie_jobs_cleanup_due",
    kind: Kind::Gauge,
    labels: &["rule"],
    help: "Jobs that the maintenance page's clean-up rules would remove now: completed_7d (completed more than 7 days \
           ago), failed_30d (failed more than 30 days ago). Jobs without completed_on are never due.",
    merge: Merge::Sum,
};
