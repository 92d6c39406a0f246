//! `marie-exporter dags`: which DAGs there are and how far they have come.

mod blockers;
mod graph;
mod job;
pub(super) mod show;

use std::collections::HashMap;

use serde_json::Value;
use sqlx::types::Uuid;

use super::arguments::add;
use super::listing::Listing;
use super::reader::{Merge, Reader};
use super::{QUERY, QUERY_BY_QUEUE};
use crate::collect::collector::Query;
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collectors::dags::PLANNER;
use crate::inspect::args::{DagsList, Output};
use crate::postgres::{Failure, Reason};
use crate::schema::Need;
use crate::terminal::columns::{Rows, id, number, state, text, time};

pub(super) static LIST: Listing = Listing {
    columns: &[
        id("id"),
        state("state"),
        text("planner"),
        number("jobs"),
        number("finished"),
        number("failed"),
        time("created_on"),
        time("started_on"),
        time("completed_on"),
    ],
    query: Query {
        sql: sql!("dags/list.sql"),
        needs: &[Need::Columns("dag", &["id", "state"])],
        optional: &[
            PLANNER,
            optional!("dag"."created_on": "timestamptz"),
            optional!("dag"."started_on": "timestamptz"),
            optional!("dag"."completed_on": "timestamptz"),
        ],
        ..QUERY
    },
};

/// The columns of [`LIST`] that [`JOB_COUNTS`] fills.
const COUNTS: std::ops::Range<usize> = 3..6;

pub(super) static JOB_COUNTS: Listing = Listing {
    columns: &[id("id"), number("jobs"), number("finished"), number("failed")],
    query: Query {
        sql: sql!("dags/job_counts.sql"),
        needs: &[Need::Columns("job", &["dag_id", "state"])],
        ..QUERY_BY_QUEUE
    },
};

/// # Errors
/// Any failure of the database, and where it has no table of DAGs.
pub(super) async fn list(
    reader: &mut Reader<'_>,
    asked: &DagsList,
    output: &Output,
) -> Result<Rows, Failure> {
    let filters = |arguments: &mut _, _: Option<&[String]>| {
        add(arguments, &asked.state)?;
        add(arguments, &asked.planner)
    };
    let mut dags = reader.page(&LIST, Merge::Rows, Some(output.into()), &filters).await?;
    let ids: Vec<Uuid> = dags.rows.iter().map(|row| uuid(&row[0])).collect::<Result<_, _>>()?;
    let merge = Merge::Sql(include_str!("dags/merged_job_counts.sql"));
    let filters = |arguments: &mut _, _: Option<&[String]>| add(arguments, &ids);
    let counted = reader.page(&JOB_COUNTS, merge, None, &filters).await?;
    let mut counts: HashMap<Uuid, Vec<Value>> = HashMap::new();
    for mut row in counted.rows {
        let id = uuid(&row[0])?;
        counts.insert(id, row.split_off(1));
    }
    for (row, id) in dags.rows.iter_mut().zip(ids) {
        if let Some(counts) = counts.remove(&id) {
            row.splice(COUNTS, counts);
        }
    }
    Ok(dags)
}

fn uuid(value: &Value) -> Result<Uuid, Failure> {
    let id = value.as_str().and_then(|id| id.parse().ok());
    id.ok_or_else(|| Failure::new(Reason::Other, format!("the id of a DAG is not a UUID: {value}")))
}
