//! The collectors, one file each with its SQL beside it, and the list of all.
//!
//! To add one, write its file and its line in [`COLLECTORS`]. Constants that several declarations share stand here.

pub mod dags;
pub mod queues;
pub mod retries;
pub mod scheduler;
pub mod sla;
pub mod statistics;
pub mod storage;
pub mod stuck;
pub mod throughput;

use sqlx::Arguments;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;

use crate::collect::collector::{Collector, Context, Division, Query, SqlFile};
use crate::collect::pace::{Pace, PassKind};
use crate::collect::queue_labels::LABEL as QUEUE;
use crate::schema::Index;

/// Every collector, in the order of the metric table. The only list of them.
pub static COLLECTORS: &[&Collector] = &[
    &statistics::COLLECTOR,
    &stuck::COLLECTOR,
    &throughput::COLLECTOR,
    &retries::COLLECTOR,
    &sla::COLLECTOR,
    &dags::COLLECTOR,
    &queues::COLLECTOR,
    &storage::COLLECTOR,
    &scheduler::COLLECTOR,
    &crate::collect::events::COLLECTOR,
];

/// Serves queries that read unfinished jobs only.
pub(crate) const BY_STATE: Index = Index { table: "job", columns: &["state"], predicate: None };

/// A query over unfinished jobs by queue. A declaration overrides what differs.
const UNFINISHED: Query = Query {
    sql: SqlFile { name: "", text: "" },
    pace: Pace::Backlog,
    pass: None,
    wanted: |_| true,
    by_queue: &[],
    optional: &[],
    needs: &[],
    fallbacks: &[],
    definitions: &[],
    index: Some(BY_STATE),
    division: Division::ByQueue,
    arguments: by_queue,
};

/// Serves the finished jobs that the scheduler rewrites every minute.
pub(crate) const BY_ID_UNLESS_COMPLETED: Index =
    Index { table: "job", columns: &["id"], predicate: Some("state <> 'completed'") };

/// What the pass over finished jobs fills; declarations say which families, and what they need.
const FINISHED: Query = Query {
    sql: SqlFile { name: "finished.sql", text: include_str!("history/finished.sql") },
    pace: Pace::History,
    pass: Some(PassKind::History),
    index: Some(BY_ID_UNLESS_COMPLETED),
    ..UNFINISHED
};

/// What the pass over unfinished jobs feeds; declarations say which families it fills and what these need.
const BACKLOG: Query = Query {
    sql: SqlFile { name: "backlog.sql", text: include_str!("backlog/backlog.sql") },
    pass: Some(PassKind::Backlog),
    ..UNFINISHED
};

#[expect(clippy::unnecessary_wraps, reason = "the signature of Query::arguments")]
fn no_arguments(_: &Context<'_>) -> Result<PgArguments, BoxDynError> {
    Ok(PgArguments::default())
}

/// $1 to $6: the queue labels, see `collector::by_queue`.
fn by_queue(context: &Context<'_>) -> Result<PgArguments, BoxDynError> {
    context.queues.arguments(context.schema)
}

/// $1: the pattern of text that the server can send, NULL if it can send any.
fn sendable_text(context: &Context<'_>) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(context.schema.sendable_text())?;
    Ok(arguments)
}
