//! `marie-exporter jobs`: which jobs there are, which are stuck, failed, waiting for a retry, and which is next.

pub(super) mod sections;
pub(super) mod show;

use super::arguments::add;
use super::listing::Listing;
use super::reader::{Merge, Reader};
use super::{QUERY_BY_QUEUE, fallbacks};
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::definition::WAITING_JOB;
use crate::collect::collector::{Division, Optional, Query, SqlFile};
use crate::collect::collectors::statistics::{DEPENDENCIES_FROM_JSON, NO_DAGS};
use crate::inspect::args::{JobsFailed, JobsList, JobsNext, JobsOverdue, OfQueue, Output};
use crate::postgres::{Failure, Reason};
use crate::schema::Need;
use crate::terminal::columns::{Column, Rows, duration, id, number, state, text, time};

const DAG_ID: Optional = optional!("job"."dag_id": "uuid");
const START_AFTER: Optional = optional!("job"."start_after": "timestamptz");

const LISTED: &[&str] =
    &["id", "name", "state", "retry_count", "retry_limit", "created_on", "started_on", "completed_on"];

const LIST_COLUMNS: &[Column] = &[
    id("id"),
    text("queue"),
    state("state"),
    id("dag_id"),
    number("priority"),
    number("retry_count"),
    number("retry_limit"),
    time("created_on"),
    time("started_on"),
    time("completed_on"),
];

pub(super) static LIST: Listing = Listing {
    columns: LIST_COLUMNS,
    query: Query {
        sql: sql!("jobs/list.sql"),
        needs: &[Need::Columns("job", LISTED)],
        optional: &[DAG_ID, optional!("job"."priority": "int")],
        ..QUERY_BY_QUEUE
    },
};

/// The same with a filter on the payload, for which it takes more than the exporter's role may read.
static MATCHING: Listing = Listing {
    columns: LIST_COLUMNS,
    query: Query {
        sql: SqlFile { name: "jobs/matching.sql", text: include_str!("jobs/list.sql") },
        needs: &[Need::Columns("job", LISTED), Need::Columns("job", &["data", "dag_id", "priority"])],
        fallbacks: &[fallbacks::MATCHING],
        ..QUERY_BY_QUEUE
    },
};

/// `top` shows other columns of the same.
pub(super) const STUCK_QUERY: Query = Query {
    sql: sql!("jobs/stuck.sql"),
    needs: &[Need::Columns("job", &["id", "name", "state", "started_on", "retry_count"])],
    optional: &[DAG_ID, optional!("job"."run_owner": "text")],
    ..QUERY_BY_QUEUE
};

pub(super) static STUCK: Listing = Listing {
    columns: &[
        id("id"),
        text("queue"),
        id("dag_id"),
        time("started_on"),
        duration("active_for"),
        duration("threshold"),
        number("retry_count"),
        text("run_owner"),
    ],
    query: STUCK_QUERY,
};

pub(super) static FAILED: Listing = Listing {
    columns: &[
        id("id"),
        text("queue"),
        state("state"),
        id("dag_id"),
        number("retry_count"),
        number("retry_limit"),
        time("started_on"),
        time("completed_on"),
        duration("last_attempt"),
    ],
    query: Query {
        sql: sql!("jobs/failed.sql"),
        needs: &[Need::Columns(
            "job",
            &["id", "name", "state", "retry_count", "retry_limit", "started_on", "completed_on"],
        )],
        optional: &[DAG_ID],
        ..QUERY_BY_QUEUE
    },
};

pub(super) static RETRYING: Listing = Listing {
    columns: &[
        id("id"),
        text("queue"),
        id("dag_id"),
        number("retry_count"),
        number("retry_limit"),
        time("started_on"),
        time("start_after"),
        duration("due_in"),
    ],
    query: Query {
        sql: sql!("jobs/retrying.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state", "retry_count", "retry_limit", "started_on"])],
        optional: &[DAG_ID, START_AFTER],
        ..QUERY_BY_QUEUE
    },
};

pub(super) static OVERDUE: Listing = Listing {
    columns: &[
        id("id"),
        text("queue"),
        state("state"),
        id("dag_id"),
        time("created_on"),
        time("sla"),
        duration("overdue_for"),
    ],
    query: Query {
        sql: sql!("jobs/overdue.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state", "created_on", "soft_sla", "hard_sla"])],
        optional: &[DAG_ID],
        ..QUERY_BY_QUEUE
    },
};

pub(super) static NEXT: Listing = Listing {
    columns: &[
        id("id"),
        text("queue"),
        state("state"),
        id("dag_id"),
        number("priority"),
        time("created_on"),
        time("start_after"),
        duration("age"),
    ],
    query: Query {
        sql: sql!("jobs/next.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state", "priority", "created_on"])],
        optional: &[DAG_ID, START_AFTER],
        fallbacks: &[NO_DAGS, DEPENDENCIES_FROM_JSON],
        definitions: &[WAITING_JOB],
        division: Division::ByQueueWithParents,
        ..QUERY_BY_QUEUE
    },
};

/// # Errors
/// Any failure of the database, and a state that this database does not have.
pub(super) async fn list(
    reader: &mut Reader<'_>,
    asked: &JobsList,
    output: &Output,
) -> Result<Rows, Failure> {
    let states = reader.schema.states();
    let unknown = asked.state.iter().find(|state| !states.contains(state));
    if let Some(unknown) = unknown.filter(|_| !reader.schema.takes_any_state()) {
        let message =
            format!("--state: jobs here have no state {unknown:?}; there are {}", states.join(", "));
        return Err(Failure::new(Reason::Other, message));
    }
    let queue = asked.of.queue.as_deref();
    let since = asked.since.map(|since| since.as_secs_f64());
    let (keys, values): (Vec<&str>, Vec<&str>) =
        asked.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).unzip();
    let listing = if keys.is_empty() { &LIST } else { &MATCHING };
    reader
        .page(listing, Merge::Rows, Some(output.into()), &|arguments, _| {
            add(arguments, &asked.state)?;
            add(arguments, queue)?;
            add(arguments, asked.dag)?;
            add(arguments, since)?;
            if keys.is_empty() {
                return Ok(());
            }
            add(arguments, &keys)?;
            add(arguments, &values)
        })
        .await
}

/// # Errors
/// Any failure of the database.
pub(super) async fn stuck(
    reader: &mut Reader<'_>,
    asked: &OfQueue,
    output: &Output,
) -> Result<Rows, Failure> {
    let thresholds = reader.thresholds.clone();
    reader
        .page(&STUCK, Merge::Rows, Some(output.into()), &|arguments, _| {
            add(arguments, &asked.queue)?;
            thresholds.add_to(arguments)
        })
        .await
}

/// # Errors
/// Any failure of the database.
pub(super) async fn failed(
    reader: &mut Reader<'_>,
    asked: &JobsFailed,
    output: &Output,
) -> Result<Rows, Failure> {
    reader
        .page(&FAILED, Merge::Rows, Some(output.into()), &|arguments, _| {
            add(arguments, &asked.of.queue)?;
            add(arguments, asked.since.map(|since| since.as_secs_f64()))
        })
        .await
}

/// # Errors
/// Any failure of the database.
pub(super) async fn retrying(
    reader: &mut Reader<'_>,
    asked: &OfQueue,
    output: &Output,
) -> Result<Rows, Failure> {
    let filters = |arguments: &mut _, _: Option<&[String]>| add(arguments, &asked.queue);
    reader.page(&RETRYING, Merge::Rows, Some(output.into()), &filters).await
}

/// # Errors
/// Any failure of the database.
pub(super) async fn next(
    reader: &mut Reader<'_>,
    asked: &JobsNext,
    output: &Output,
) -> Result<Rows, Failure> {
    let queue = asked.of.queue.clone().map(|queue| [queue]);
    let merge =
        if asked.per_dag { Merge::Sql(include_str!("jobs/merged_next_of_dags.sql")) } else { Merge::Rows };
    reader
        .page(&NEXT, merge, Some(output.into()), &|arguments, group| {
            add(arguments, queue.as_ref().map(<[String; 1]>::as_slice).or(group))?;
            add(arguments, asked.dag)?;
            add(arguments, asked.per_dag)
        })
        .await
}

/// # Errors
/// Any failure of the database.
pub(super) async fn overdue(
    reader: &mut Reader<'_>,
    asked: &JobsOverdue,
    output: &Output,
) -> Result<Rows, Failure> {
    reader
        .page(&OVERDUE, Merge::Rows, Some(output.into()), &|arguments, _| {
            add(arguments, &asked.of.queue)?;
            add(arguments, asked.sla.label())
        })
        .await
}
