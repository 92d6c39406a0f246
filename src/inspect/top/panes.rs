//! What `top` asks the database, each part with what its cost follows.

use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::definition::WAITING_JOB;
use crate::collect::collector::{Division, Pace, Query};
use crate::collect::collectors::statistics::{DEPENDENCIES_FROM_JSON, NO_DAGS};
use crate::collect::collectors::throughput::BY_COMPLETED_ON;
use crate::inspect::QUERY_BY_QUEUE;
use crate::inspect::arguments::add;
use crate::inspect::jobs::STUCK_QUERY;
use crate::inspect::listing::Listing;
use crate::inspect::reader::{self, Page, Reader};
use crate::postgres::Failure;
use crate::schema::Need;
use crate::terminal::columns::{duration, id, number, text, time};

/// No more rows of single jobs than a person would scroll through.
pub(super) const JOBS: u32 = 200;

/// A part of the numbers, in the order in which they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Queues,
    Ready,
    Stuck,
    Running,
    Completed,
}

impl Part {
    pub(super) const ALL: [Part; 5] =
        [Part::Queues, Part::Ready, Part::Stuck, Part::Running, Part::Completed];

    pub(super) fn listing(self) -> &'static Listing {
        match self {
            Part::Queues => &QUEUES,
            Part::Ready => &READY,
            Part::Stuck => &STUCK,
            Part::Running => &RUNNING,
            Part::Completed => &COMPLETED,
        }
    }

    /// Returns the rows of this part.
    ///
    /// # Errors
    /// Where the database is gone.
    pub(super) async fn read(self, reader: &mut Reader<'_>) -> Result<reader::Part, Failure> {
        let thresholds = reader.thresholds.clone();
        let page = match self {
            Part::Stuck | Part::Running => Some(Page { size: JOBS, number: 1 }),
            Part::Queues | Part::Ready | Part::Completed => None,
        };
        reader
            .part_of_page(self.listing(), page, &|arguments, group| match self {
                Part::Queues | Part::Running => thresholds.add_to(arguments),
                Part::Ready => add(arguments, group),
                Part::Stuck => {
                    add(arguments, None::<&str>)?;
                    thresholds.add_to(arguments)
                }
                Part::Completed => Ok(()),
            })
            .await
    }
}

pub(in crate::inspect) static QUEUES: Listing = Listing {
    columns: &[text("queue"), number("created"), number("retry"), number("active"), number("stuck")],
    query: Query {
        sql: sql!("queues.sql"),
        needs: &[Need::Columns("job", &["name", "state", "started_on"])],
        ..QUERY_BY_QUEUE
    },
};

pub(in crate::inspect) static READY: Listing = Listing {
    columns: &[text("queue"), number("ready")],
    query: Query {
        sql: sql!("ready.sql"),
        optional: &[optional!("job"."dag_id": "uuid"), optional!("job"."start_after": "timestamptz")],
        fallbacks: &[NO_DAGS, DEPENDENCIES_FROM_JSON],
        definitions: &[WAITING_JOB],
        division: Division::ByQueueWithParents,
        ..QUERY_BY_QUEUE
    },
};

/// The last column of this and [`RUNNING`] is not shown; it is their order.
static STUCK: Listing = Listing {
    columns: &[
        id("id"),
        text("queue"),
        duration("active_for"),
        duration("threshold"),
        number("retry_count"),
        id("dag_id"),
        time("started_on"),
    ],
    query: STUCK_QUERY,
};

pub(in crate::inspect) static RUNNING: Listing = Listing {
    columns: &[
        id("id"),
        text("queue"),
        duration("active_for"),
        number("retry_count"),
        id("dag_id"),
        time("started_on"),
    ],
    query: Query {
        sql: sql!("running.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state", "started_on", "retry_count"])],
        optional: &[optional!("job"."dag_id": "uuid")],
        ..QUERY_BY_QUEUE
    },
};

pub(in crate::inspect) static COMPLETED: Listing = Listing {
    columns: &[text("queue"), number("hours_ago"), number("jobs")],
    query: Query {
        sql: sql!("completed.sql"),
        needs: &[Need::Columns("job", &["name", "state", "completed_on"])],
        pace: Pace::FastWithIndex,
        index: Some(BY_COMPLETED_ON),
        ..QUERY_BY_QUEUE
    },
};
