//! The queries of `top`, with the rows that they return.

use serde::Deserialize;

use crate::collect::collector::declare::sql;
use crate::collect::collector::definition::WAITING_JOB;
use crate::collect::collector::{Division, Query};
use crate::collect::collectors::statistics::{DEPENDENCIES_FROM_JSON, NO_DAGS};
use crate::collect::collectors::throughput::BY_COMPLETED_ON;
use crate::collect::pace::Pace;
use crate::inspect::bind::bind;
use crate::inspect::jobs::stuck;
use crate::inspect::listing::{
    Listing, QUERY_BY_QUEUE, duration, id, listing, number, text, time, unprinted,
};
use crate::inspect::reader::{Fetched, Page, Reader};
use crate::postgres::Failure;

/// The most rows of a pane of jobs.
pub(super) const MOST_JOBS: u32 = 200;

/// A query of `top`, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopQuery {
    Queues,
    Ready,
    Stuck,
    Running,
    Completed,
}

impl TopQuery {
    pub(super) const ALL: [TopQuery; 5] =
        [TopQuery::Queues, TopQuery::Ready, TopQuery::Stuck, TopQuery::Running, TopQuery::Completed];

    pub(super) fn listing(self) -> &'static Listing {
        match self {
            TopQuery::Queues => &QUEUES,
            TopQuery::Ready => &READY,
            TopQuery::Stuck => &stuck::LISTING,
            TopQuery::Running => &RUNNING,
            TopQuery::Completed => &COMPLETED,
        }
    }

    /// Runs the query.
    ///
    /// # Errors
    /// If the connection fails.
    pub(super) async fn fetch(self, reader: &mut Reader<'_>) -> Result<Fetched, Failure> {
        let thresholds = reader.thresholds.clone();
        let page = match self {
            TopQuery::Stuck | TopQuery::Running => Some(Page { size: MOST_JOBS, number: 1 }),
            TopQuery::Queues | TopQuery::Ready | TopQuery::Completed => None,
        };
        reader
            .try_fetch_page(self.listing(), page, &|arguments, group| match self {
                TopQuery::Queues | TopQuery::Running => thresholds.bind_to(arguments),
                TopQuery::Ready => bind(arguments, group),
                TopQuery::Stuck => {
                    // Stuck jobs of all queues.
                    bind(arguments, None::<&str>)?;
                    thresholds.bind_to(arguments)
                }
                TopQuery::Completed => Ok(()),
            })
            .await
    }
}

/// The queries that no other command has.
pub(in crate::inspect) const QUERIES: &[&Query] =
    &[&QUEUES.query, &READY.query, &RUNNING.query, &COMPLETED.query];

/// The unfinished jobs of a queue.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct QueueCounts {
    pub(super) queue: String,
    pub(super) created: u64,
    pub(super) retry: u64,
    pub(super) active: u64,
    pub(super) stuck: u64,
}

listing! {
    QUEUES, sql!("queues.sql"); "job",
    [
        text("queue").from("name"),
        number("created").from("state"),
        number("retry").computed(),
        number("active").computed(),
        number("stuck").from("started_on"),
    ],
    Query { ..QUERY_BY_QUEUE }
}

/// The jobs of a queue that a worker could take now.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ReadyJobs {
    pub(super) queue: String,
    pub(super) ready: u64,
}

listing! {
    READY, sql!("ready.sql"); "job",
    [
        text("queue").from("name"),
        number("ready").computed(),
        unprinted("dag_id").optional("uuid"),
        unprinted("start_after").optional("timestamptz"),
    ],
    Query {
        fallbacks: &[NO_DAGS, DEPENDENCIES_FROM_JSON],
        definitions: &[WAITING_JOB],
        division: Division::ByQueueWithParents,
        ..QUERY_BY_QUEUE
    }
}

/// A stuck job, of the listing of `jobs stuck`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StuckJob {
    #[serde(flatten)]
    pub(super) job: RunningJob,
    /// Seconds.
    pub(super) threshold: f64,
}

/// An active job.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RunningJob {
    pub(super) id: String,
    pub(super) queue: Option<String>,
    /// Seconds; `None` if the date of its start is invalid.
    pub(super) active_for: Option<f64>,
    pub(super) retry_count: Option<i64>,
    pub(super) dag_id: Option<String>,
}

listing! {
    /// `started_on` is not shown. The rows of groups of queues are merged in its order.
    RUNNING, sql!("running.sql"); "job",
    [
        id("id"),
        text("queue").from("name"),
        duration("active_for").computed(),
        number("retry_count"),
        id("dag_id").optional("uuid"),
        time("started_on"),
        unprinted("state"),
    ],
    Query { ..QUERY_BY_QUEUE }
}

/// The jobs of a queue that were completed in one hour.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CompletedJobs {
    pub(super) queue: String,
    /// 0 for the last hour.
    pub(super) hours_ago: usize,
    pub(super) jobs: u64,
}

listing! {
    COMPLETED, sql!("completed.sql"); "job",
    [
        text("queue").from("name"),
        number("hours_ago").from("completed_on"),
        number("jobs").from("state"),
    ],
    Query { pace: Pace::History, index: Some(BY_COMPLETED_ON), ..QUERY_BY_QUEUE }
}
