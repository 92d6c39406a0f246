//! `dags list`: DAGs, each with the counts of its jobs.
//!
//! The jobs are counted by a second statement, for the DAGs of the page only.

use std::collections::HashMap;

use clap::Args;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::types::Uuid;

use crate::collect::collector::Query;
use crate::inspect::bind::{Thresholds, bind};
use crate::inspect::command::ListCommand;
use crate::inspect::listing::{Listing, QUERY, QUERY_BY_QUEUE, id, listing, number, state, text, time};
use crate::inspect::reader::{Merge, Reader};
use crate::postgres::{Failure, Reason};
use crate::terminal::columns::Rows;

#[derive(Debug, Clone, Args)]
pub(crate) struct DagsList {
    /// Only DAGs in this state; can be repeated
    #[arg(long, value_name = "STATE")]
    state: Vec<String>,

    /// Only DAGs of this planner
    #[arg(long, value_name = "NAME")]
    planner: Option<String>,
}

listing! {
    LISTING, "dags/", "list.sql", "dag",
    [
        id("id"),
        state("state"),
        text("planner").optional("text"),
        number("jobs").computed(),
        number("finished").computed(),
        number("failed").computed(),
        time("created_on").optional("timestamptz"),
        time("started_on").optional("timestamptz"),
        time("completed_on").optional("timestamptz"),
    ],
    Query { ..QUERY }
}

listing! {
    JOB_COUNTS, "dags/", "job_counts.sql", "job",
    [
        id("id").from("dag_id"),
        number("jobs").from("state"),
        number("finished").computed(),
        number("failed").computed(),
    ],
    Query { ..QUERY_BY_QUEUE }
}

#[derive(Deserialize)]
struct DagId {
    id: String,
}

/// The counts of one DAG, by the names of the columns that they fill.
#[derive(Deserialize)]
struct JobCounts {
    id: String,
    #[serde(flatten)]
    counts: HashMap<String, Value>,
}

impl DagsList {
    pub(crate) const QUERIES: &[&Query] = &[&LISTING.query, &JOB_COUNTS.query];
}

impl ListCommand for DagsList {
    fn listing(&self) -> &'static Listing {
        &LISTING
    }

    fn bind(&self, arguments: &mut PgArguments, _: &Thresholds, _: Option<&[String]>) -> Result<(), Failure> {
        bind(arguments, &self.state)?;
        bind(arguments, &self.planner)
    }

    fn filters(&self) -> Vec<&str> {
        self.state.iter().chain(&self.planner).map(String::as_str).collect()
    }

    fn complete<'a>(
        &'a self,
        reader: &'a mut Reader<'_>,
        rows: Rows,
    ) -> BoxFuture<'a, Result<Rows, Failure>> {
        Box::pin(count_jobs(reader, rows))
    }
}

async fn count_jobs(reader: &mut Reader<'_>, mut dags: Rows) -> Result<Rows, Failure> {
    let listed: Vec<DagId> = LISTING.decode(&dags.rows)?;
    let ids: Vec<Uuid> = listed.iter().map(|dag| parse(&dag.id)).collect::<Result<_, _>>()?;
    let merge = Merge::Sql(include_str!("merged_job_counts.sql"));
    let bind_ids = |arguments: &mut _, _: Option<&[String]>| bind(arguments, &ids);
    let rows = reader.fetch_page(&JOB_COUNTS, merge, None, &bind_ids).await?;
    let counted: Vec<JobCounts> = JOB_COUNTS.decode(&rows.rows)?;
    let mut counts: HashMap<String, HashMap<String, Value>> =
        counted.into_iter().map(|dag| (dag.id, dag.counts)).collect();
    for (row, DagId { id }) in dags.rows.iter_mut().zip(listed) {
        let Some(mut counts) = counts.remove(&id) else { continue };
        for (value, column) in row.iter_mut().zip(LISTING.columns) {
            if let Some(count) = counts.remove(column.name) {
                *value = count;
            }
        }
    }
    Ok(dags)
}

fn parse(id: &str) -> Result<Uuid, Failure> {
    let id = id.parse();
    id.map_err(|error| Failure::new(Reason::Other, format!("the id of a DAG is not a UUID: {error}")))
}
