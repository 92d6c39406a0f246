//! `dags show`: the progress of a DAG, its critical path, and what blocks it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use clap::Args;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::types::Uuid;

use super::blockers::{self, Edges, OutsideEdge};
use super::graph::Graph;
use super::job::{Job, State};
use crate::collect::collector::Query;
use crate::collect::collector::declare::sql;
use crate::config::values;
use crate::inspect::bind::{bind, id_arguments};
use crate::inspect::command::ShowCommand;
use crate::inspect::fallbacks::NO_DEPENDENCIES;
use crate::inspect::listing::{QUERY, duration, listing, number, state, text, time, unprinted};
use crate::inspect::reader::{Fetched, Reader};
use crate::inspect::scope::Scope;
use crate::inspect::sections::{Body, Section, Sections};
use crate::postgres::{Failure, Reason};
use crate::terminal::columns::{Column, Rows};
use crate::terminal::duration::seconds_in_units;

/// The most rows of a section that a table shows. JSON has all rows.
const SHOWN: usize = 100;

#[derive(Debug, Clone, Args)]
pub(crate) struct DagsShow {
    /// The DAG's id
    #[arg(value_parser = values::id)]
    id: Uuid,
}

listing! {
    DAG, sql!("show/dag.sql"); "dag",
    [
        text("id"),
        text("name").optional("text"),
        state("state"),
        text("planner").optional("text"),
        time("created_on").optional("timestamptz"),
        time("started_on").optional("timestamptz"),
        time("completed_on").optional("timestamptz"),
        duration("run_time").computed(),
        time("soft_sla").optional("timestamptz"),
        time("hard_sla").optional("timestamptz"),
    ],
    Query { ..QUERY }
}

/// A row of [`DAG`].
#[derive(Deserialize)]
struct Dag {
    state: Option<String>,
}

listing! {
    PROGRESS, sql!("show/progress.sql"); "job",
    [
        unprinted("dag_id"),
        unprinted("state"),
        number("total_jobs").computed(),
        number("completed").computed(),
        number("waiting").computed(),
        number("active").computed(),
        number("failed").computed(),
        number("other").computed(),
        number("progress_pct").computed(),
    ],
    Query { ..QUERY }
}

listing! {
    /// A row is a [`Job`]. The columns from [`NOT_PRINTED`] on are not printed.
    JOBS, sql!("show/jobs.sql"); "job",
    [
        unprinted("dag_id"),
        text("id"),
        text("queue").from("name"),
        state("state"),
        number("level").from("job_level").optional("int"),
        number("retry_count"),
        time("started_on"),
        time("completed_on"),
        duration("run_time").computed(),
        text(NOT_PRINTED).computed(),
        time("deferred_until").from("start_after").optional("timestamptz"),
    ],
    Query { ..QUERY }
}

const NOT_PRINTED: &str = "is_stuck";

listing! {
    EDGES, sql!("show/edges.sql"); "job",
    [
        text("job").from("id"),
        text("parent").from("dependencies"),
        unprinted("name"),
        unprinted("dag_id"),
    ],
    Query { fallbacks: &[NO_DEPENDENCIES], ..QUERY }
}

/// A row of [`EDGES`].
#[derive(Deserialize)]
struct Edge {
    job: String,
    parent: String,
}

listing! {
    OUTSIDE, sql!("show/outside.sql"); "job",
    [text("id"), text("queue").from("name"), state("state")],
    Query { ..QUERY }
}

/// A row of [`OUTSIDE`].
#[derive(Deserialize)]
struct OutsideJob {
    id: String,
    state: Option<State>,
}

impl DagsShow {
    pub(crate) const QUERIES: &[&Query] =
        &[&DAG.query, &PROGRESS.query, &JOBS.query, &EDGES.query, &OUTSIDE.query];
}

impl ShowCommand for DagsShow {
    fn scope(&self) -> Scope<'_> {
        Scope::Dag(self.id)
    }

    fn read<'a>(&'a self, reader: &'a mut Reader<'_>) -> BoxFuture<'a, Result<Sections, Failure>> {
        Box::pin(read(reader, self.id))
    }
}

async fn read(reader: &mut Reader<'_>, id: Uuid) -> Result<Sections, Failure> {
    let dag_rows = reader.try_fetch(&DAG, id_arguments(id)?).await?;
    let dag: Option<Dag> = match &dag_rows {
        Fetched::Rows(rows) => DAG.decode_first(rows)?,
        Fetched::Missing | Fetched::Failed(_) => None,
    };
    let progress = reader.try_fetch(&PROGRESS, id_arguments(id)?).await?;
    let mut arguments = id_arguments(id)?;
    reader.thresholds.bind_to(&mut arguments)?;
    let job_rows = reader.fetch(&JOBS, arguments).await?;
    if job_rows.rows.is_empty() && dag.is_none() {
        let schema = reader.config.database.schema.quoted();
        let message = format!(
            "there is no DAG {id} in the schema {schema}, nor a job of it: it was purged or never existed"
        );
        return Err(Failure::new(Reason::Other, message));
    }
    let dag_state = dag.and_then(|dag| dag.state);
    let jobs: Vec<Job> = JOBS.decode(&job_rows.rows)?;
    let job_rows = printed(job_rows);
    let edges = reader.try_fetch(&EDGES, id_arguments(id)?).await?;

    let mut sections = Sections::default();
    sections.extend(Section::fields("dag", &DAG, dag_rows));
    sections.extend(Section::fields("progress", &PROGRESS, progress));
    match edges {
        Fetched::Rows(rows) => {
            let edges = load_edges(reader, &jobs, &rows).await?;
            let blocked = blockers::find(dag_state.as_deref(), &jobs, Some(&edges));
            sections.extend([section("blocked_by", blockers::COLUMNS, blocked, &|_| true)]);
            sections.extend([critical_path(&jobs, &edges.graph, &job_rows)]);
        }
        Fetched::Missing => {
            let blocked = blockers::find(dag_state.as_deref(), &jobs, None);
            let section = section("blocked_by", blockers::COLUMNS, blocked, &|_| true);
            sections.extend([match EDGES.query.lack(&reader.schema) {
                Some(lack) => section.with_caveat(format!(
                    "what jobs wait for is not known here, for there is {lack}: neither deferred jobs nor missing \
                     parents nor circles are told, nor a critical path"
                )),
                None => section,
            }]);
        }
        Fetched::Failed(why) => sections.push("blocked_by", Body::Failed(why)),
    }
    let is_unfinished = |place: usize| !matches!(jobs[place].state.0.as_str(), "completed" | "skipped");
    sections.extend([section("jobs", printed_columns(), job_rows, &is_unfinished)]);
    Ok(sections)
}

/// Returns the columns of [`JOBS`] that are printed.
fn printed_columns() -> &'static [Column] {
    let count = JOBS.columns.iter().take_while(|column| column.name != NOT_PRINTED).count();
    &JOBS.columns[..count]
}

fn printed(mut rows: Rows) -> Rows {
    for row in &mut rows.rows {
        row.truncate(printed_columns().len());
    }
    rows
}

/// Makes a graph of the edges between the DAG's jobs, and reads the states of the parents outside of the DAG.
async fn load_edges(reader: &mut Reader<'_>, jobs: &[Job], rows: &Rows) -> Result<Edges, Failure> {
    let places: HashMap<&str, usize> =
        jobs.iter().enumerate().map(|(place, job)| (job.id.as_str(), place)).collect();
    let mut inside = Vec::new();
    let mut outside = Vec::new();
    for Edge { job, parent } in EDGES.decode::<Edge>(&rows.rows)? {
        match (places.get(job.as_str()), places.get(parent.as_str())) {
            (Some(&job), Some(&parent)) => inside.push((job, parent)),
            (Some(&job), None) => outside.push((job, parent)),
            (None, _) => {}
        }
    }
    let parents: BTreeSet<&str> = outside.iter().map(|(_, parent)| parent.as_str()).collect();
    let mut states: HashMap<String, Option<State>> = HashMap::new();
    if !parents.is_empty() {
        let ids: Vec<Uuid> = parents.iter().filter_map(|id| id.parse().ok()).collect();
        let mut arguments = PgArguments::default();
        bind(&mut arguments, ids)?;
        let rows = reader.fetch(&OUTSIDE, arguments).await?;
        states.extend(OUTSIDE.decode::<OutsideJob>(&rows.rows)?.into_iter().map(|job| (job.id, job.state)));
    }
    let outside = outside
        .into_iter()
        .map(|(job, parent)| {
            let state = states.get(&parent).cloned().flatten();
            OutsideEdge { job, parent, state }
        })
        .collect();
    Ok(Edges { graph: Graph::new(jobs.len(), inside), outside })
}

fn critical_path(jobs: &[Job], graph: &Graph, rows: &Rows) -> Section {
    let micros: Vec<u64> = jobs.iter().map(Job::run_micros).collect();
    let path = graph.critical_path(&micros);
    let seconds = Duration::from_micros(path.iter().map(|&job| micros[job]).sum()).as_secs_f64();
    let rows: Vec<Vec<Value>> = path.iter().map(|&job| rows.rows[job].clone()).collect();
    let length = format!("{} of work so far", seconds_in_units(seconds));
    section("critical_path", printed_columns(), Rows { rows, more: false }, &|_| true).with_note(length)
}

/// Returns a section whose table shows at most [`SHOWN`] rows, `is_important` ones before others. The order stays.
fn section(
    name: &'static str,
    columns: &'static [Column],
    rows: Rows,
    is_important: &dyn Fn(usize) -> bool,
) -> Section {
    let count = rows.rows.len();
    if count <= SHOWN {
        return Section::new(name, Body::Rows { columns, rows, shown: None });
    }
    let (mut shown, others): (Vec<usize>, Vec<usize>) = (0..count).partition(|&place| is_important(place));
    shown.extend(others);
    shown.truncate(SHOWN);
    shown.sort_unstable();
    Section::new(name, Body::Rows { columns, rows, shown: Some(shown) })
        .with_note(format!("and {} more; --format=json has them all", count - SHOWN))
}
