//! What `top` asks the database, each part with what its cost follows.

use sqlx::postgres::PgArguments;

use crate::collector::{Pace, Query};
use crate::collectors::statistics::{DEPENDENCIES_FROM_JSON, NO_DAGS};
use crate::collectors::throughput::BY_COMPLETED_ON;
use crate::collectors::{optional, sql};
use crate::database::Failure;
use crate::operator::QUERY;
use crate::operator::jobs::{STUCK_QUERY, thresholds};
use crate::operator::listing::{Listing, duration, number, text};
use crate::operator::reader::{Reader, add};
use crate::schema::Need;

/// No more rows of single jobs than a person would scroll through.
pub(super) const JOBS: i64 = 200;

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

    /// # Errors
    /// When they cannot be encoded.
    pub(super) fn arguments(self, reader: &Reader<'_>) -> Result<PgArguments, Failure> {
        let mut arguments = PgArguments::default();
        match self {
            Part::Queues => thresholds(&mut arguments, reader)?,
            Part::Stuck => {
                add(&mut arguments, JOBS)?;
                add(&mut arguments, 0_i64)?;
                add(&mut arguments, None::<&str>)?;
                thresholds(&mut arguments, reader)?;
            }
            Part::Running => {
                thresholds(&mut arguments, reader)?;
                add(&mut arguments, JOBS)?;
            }
            Part::Ready | Part::Completed => {}
        }
        Ok(arguments)
    }
}

pub(in crate::operator) static QUEUES: Listing = Listing {
    columns: &[text("queue"), number("created"), number("retry"), number("active"), number("stuck")],
    query: Query {
        sql: sql!("queues.sql"),
        needs: &[Need::Columns("job", &["name", "state", "started_on"])],
        ..QUERY
    },
};

pub(in crate::operator) static READY: Listing = Listing {
    columns: &[text("queue"), number("ready")],
    query: Query {
        sql: sql!("ready.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state"])],
        optional: &[optional!("job"."dag_id": "uuid"), optional!("job"."start_after": "timestamptz")],
        stand_ins: &[NO_DAGS, DEPENDENCIES_FROM_JSON],
        ..QUERY
    },
};

static STUCK: Listing = Listing {
    columns: &[
        text("id"),
        text("queue"),
        duration("active_for"),
        duration("threshold"),
        number("retry_count"),
        text("dag_id"),
    ],
    query: STUCK_QUERY,
};

pub(in crate::operator) static RUNNING: Listing = Listing {
    columns: &[text("id"), text("queue"), duration("active_for"), number("retry_count"), text("dag_id")],
    query: Query {
        sql: sql!("running.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state", "started_on", "retry_count"])],
        optional: &[optional!("job"."dag_id": "uuid")],
        ..QUERY
    },
};

pub(in crate::operator) static COMPLETED: Listing = Listing {
    columns: &[text("queue"), number("hours_ago"), number("jobs")],
    query: Query {
        sql: sql!("completed.sql"),
        needs: &[Need::Columns("job", &["name", "state", "completed_on"])],
        pace: Pace::FastWithIndex,
        index: Some(BY_COMPLETED_ON),
        ..QUERY
    },
};
