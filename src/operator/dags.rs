//! `marie-exporter dags`: which DAGs there are and how far they have come.

mod blockers;
mod graph;
pub(super) mod show;

use super::QUERY;
use super::listing::{Listing, Rows, number, state, text, time};
use super::reader::{Reader, add, page};
use crate::collector::Query;
use crate::collectors::dags::PLANNER;
use crate::collectors::{optional, sql};
use crate::config::{DagsList, Output};
use crate::database::Failure;
use crate::schema::Need;

pub(super) static LIST: Listing = Listing {
    columns: &[
        text("id"),
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
        needs: &[Need::Columns("dag", &["id", "state"]), Need::Columns("job", &["dag_id", "state"])],
        optional: &[
            PLANNER,
            optional!("dag"."created_on": "timestamptz"),
            optional!("dag"."started_on": "timestamptz"),
            optional!("dag"."completed_on": "timestamptz"),
        ],
        ..QUERY
    },
};

/// # Errors
/// Any failure of the database, and where it has no table of DAGs.
pub(super) async fn list(
    reader: &mut Reader<'_>,
    asked: &DagsList,
    output: &Output,
) -> Result<Rows, Failure> {
    let mut arguments = page(output)?;
    add(&mut arguments, &asked.state)?;
    add(&mut arguments, &asked.planner)?;
    reader.page(&LIST, arguments, output).await
}
