//! `marie-exporter dags show`: how far a DAG has come, its critical path, and what blocks it.

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;

use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::types::Uuid;

use super::blockers::{self, Edges, Outside};
use super::graph::Graph;
use super::job::{Job, decoded};
use crate::collect::collector::Query;
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collectors::dags::PLANNER;
use crate::inspect::args::DagsShow;
use crate::inspect::arguments::add;
use crate::inspect::listing::Listing;
use crate::inspect::reader::{Part, Reader};
use crate::inspect::sheet::{Body, Section, Sheet};
use crate::inspect::{QUERY, fallbacks};
use crate::postgres::{Failure, Reason};
use crate::schema::Need;
use crate::terminal::columns::{Column, Rows, duration, number, state, text, time};
use crate::terminal::table;

/// A table for people shows no more rows of a section; JSON has them all.
const SHOWN: usize = 100;

pub(in crate::inspect) static DAG: Listing = Listing {
    columns: &[
        text("id"),
        text("name"),
        state("state"),
        text("planner"),
        time("created_on"),
        time("started_on"),
        time("completed_on"),
        duration("run_time"),
        time("soft_sla"),
        time("hard_sla"),
    ],
    query: Query {
        sql: sql!("show/dag.sql"),
        needs: &[Need::Columns("dag", &["id", "state"])],
        optional: &[
            PLANNER,
            optional!("dag"."name": "text"),
            optional!("dag"."created_on": "timestamptz"),
            optional!("dag"."started_on": "timestamptz"),
            optional!("dag"."completed_on": "timestamptz"),
            optional!("dag"."soft_sla": "timestamptz"),
            optional!("dag"."hard_sla": "timestamptz"),
        ],
        ..QUERY
    },
};

pub(in crate::inspect) static PROGRESS: Listing = Listing {
    columns: &[
        number("total_jobs"),
        number("completed"),
        number("waiting"),
        number("active"),
        number("failed"),
        number("other"),
        number("progress_pct"),
    ],
    query: Query {
        sql: sql!("show/progress.sql"),
        needs: &[Need::Columns("job", &["dag_id", "state"])],
        ..QUERY
    },
};

/// The columns that are printed. Behind them the query has two that only [`Job`] reads.
const JOB_COLUMNS: &[Column] = &[
    text("id"),
    text("queue"),
    state("state"),
    number("level"),
    number("retry_count"),
    time("started_on"),
    time("completed_on"),
    duration("run_time"),
];

pub(in crate::inspect) static JOBS: Listing = Listing {
    columns: &[
        JOB_COLUMNS[0],
        JOB_COLUMNS[1],
        JOB_COLUMNS[2],
        JOB_COLUMNS[3],
        JOB_COLUMNS[4],
        JOB_COLUMNS[5],
        JOB_COLUMNS[6],
        JOB_COLUMNS[7],
        text("is_stuck"),
        time("deferred_until"),
    ],
    query: Query {
        sql: sql!("show/jobs.sql"),
        needs: &[Need::Columns(
            "job",
            &["id", "name", "state", "dag_id", "retry_count", "started_on", "completed_on"],
        )],
        optional: &[optional!("job"."job_level": "int"), optional!("job"."start_after": "timestamptz")],
        ..QUERY
    },
};

pub(in crate::inspect) static EDGES: Listing = Listing {
    columns: &[text("job"), text("parent")],
    query: Query {
        sql: sql!("show/edges.sql"),
        needs: &[Need::Columns("job", &["id", "name", "dag_id", "dependencies"])],
        fallbacks: &[fallbacks::NO_DEPENDENCIES],
        ..QUERY
    },
};

pub(in crate::inspect) static OUTSIDE: Listing = Listing {
    columns: &[text("id"), text("queue"), state("state")],
    query: Query {
        sql: sql!("show/outside.sql"),
        needs: &[Need::Columns("job", &["id", "name", "state"])],
        ..QUERY
    },
};

/// # Errors
/// Where there is no such DAG, its jobs cannot be read, or the database goes away.
pub(in crate::inspect) async fn show(reader: &mut Reader<'_>, asked: &DagsShow) -> Result<Sheet, Failure> {
    let id = asked.id;
    let dag = reader.part(&DAG, of(id)?).await?;
    let dag_state = match &dag {
        Part::Rows(rows) => rows.rows.first().and_then(|row| row[2].as_str()).map(str::to_owned),
        Part::NotHere | Part::Failed(_) => None,
    };
    let is_there = matches!(&dag, Part::Rows(rows) if !rows.rows.is_empty());
    let progress = reader.part(&PROGRESS, of(id)?).await?;
    let mut arguments = of(id)?;
    reader.thresholds.add_to(&mut arguments)?;
    let listed = reader.rows(&JOBS, arguments).await?.rows;
    if listed.is_empty() && !is_there {
        let schema = reader.config.database.schema.quoted();
        let message = format!(
            "there is no DAG {id} in the schema {schema}, nor a job of it: it was purged, or never there"
        );
        return Err(Failure::new(Reason::Other, message));
    }
    let jobs: Vec<Job> = listed.iter().map(|row| Job::new(row)).collect::<Result<_, _>>()?;
    let edges = reader.part(&EDGES, of(id)?).await?;

    let mut sheet = Sheet::default();
    sheet.sections.extend(Section::of_one("dag", &DAG, dag));
    sheet.sections.extend(Section::of_one("progress", &PROGRESS, progress));
    let rows: Vec<Vec<Value>> = listed.into_iter().map(|row| row[..JOB_COLUMNS.len()].to_vec()).collect();
    match edges {
        Part::Rows(edges) => {
            let edges = reckon(reader, &jobs, &edges).await?;
            let blocked = blockers::all(dag_state.as_deref(), &jobs, Some(&edges));
            sheet.sections.push(capped("blocked_by", blockers::COLUMNS, blocked, &|_| true));
            sheet.sections.push(critical_path(&jobs, &edges.graph, &rows));
        }
        Part::NotHere => {
            let blocked = blockers::all(dag_state.as_deref(), &jobs, None);
            let section = capped("blocked_by", blockers::COLUMNS, blocked, &|_| true);
            sheet.sections.push(match EDGES.query.lack(&reader.schema) {
                Some(lack) => section.with_caveat(format!(
                    "what jobs wait for is not known here, for there is {lack}: neither deferred jobs nor missing \
                     parents nor circles are told, nor a critical path"
                )),
                None => section,
            });
        }
        Part::Failed(why) => sheet.push("blocked_by", Body::Failed(why)),
    }
    let open = |row: &[Value]| !matches!(row[2].as_str(), Some("completed" | "skipped"));
    sheet.sections.push(capped("jobs", JOB_COLUMNS, rows, &open));
    Ok(sheet)
}

fn of(id: Uuid) -> Result<PgArguments, Failure> {
    let mut arguments = PgArguments::default();
    add(&mut arguments, id)?;
    Ok(arguments)
}

/// The edges between the DAG's jobs as a graph, and those that lead out of it.
async fn reckon(reader: &mut Reader<'_>, jobs: &[Job], edges: &Rows) -> Result<Edges, Failure> {
    let places: HashMap<&str, usize> =
        jobs.iter().enumerate().map(|(place, job)| (job.id.as_str(), place)).collect();
    let mut inside = Vec::new();
    let mut leading_out = Vec::new();
    for edge in &edges.rows {
        let (job, parent) = (decoded("job", &edge[0])?, decoded("parent", &edge[1])?);
        match (places.get(job), places.get(parent)) {
            (Some(&job), Some(&parent)) => inside.push((job, parent)),
            (Some(&job), None) => leading_out.push((job, parent)),
            (None, _) => {}
        }
    }
    let wanted: BTreeSet<&str> = leading_out.iter().map(|(_, parent)| *parent).collect();
    let mut states: HashMap<String, Option<String>> = HashMap::new();
    if !wanted.is_empty() {
        let mut arguments = PgArguments::default();
        let ids: Vec<Uuid> = wanted.iter().filter_map(|id| Uuid::from_str(id).ok()).collect();
        add(&mut arguments, ids)?;
        for row in reader.rows(&OUTSIDE, arguments).await?.rows {
            let state = row[2].as_str().map(str::to_owned);
            states.insert(decoded("id", &row[0])?.to_owned(), state);
        }
    }
    let outside = leading_out
        .into_iter()
        .map(|(job, parent)| Outside {
            job,
            parent: parent.to_owned(),
            state: states.get(parent).cloned().flatten(),
        })
        .collect();
    Ok(Edges { graph: Graph::new(jobs.len(), inside), outside })
}

fn critical_path(jobs: &[Job], graph: &Graph, rows: &[Vec<Value>]) -> Section {
    let micros: Vec<u64> = jobs.iter().map(|job| job.micros).collect();
    let path = graph.critical_path(&micros);
    let seconds = std::time::Duration::from_micros(path.iter().map(|&job| micros[job]).sum()).as_secs_f64();
    let rows: Vec<Vec<Value>> = path.iter().map(|&job| rows[job].clone()).collect();
    let length = format!("{} of work so far", table::in_words(seconds));
    capped("critical_path", JOB_COLUMNS, rows, &|_| true).noted(length)
}

/// A section of which a table shows the first rows, `important` ones before others.
fn capped(
    name: &'static str,
    columns: &'static [Column],
    rows: Vec<Vec<Value>>,
    important: &dyn Fn(&[Value]) -> bool,
) -> Section {
    let count = rows.len();
    let mut shown = None;
    if count > SHOWN {
        let (mut first, others): (Vec<usize>, Vec<usize>) =
            (0..count).partition(|&place| important(&rows[place]));
        first.extend(others);
        first.truncate(SHOWN);
        first.sort_unstable();
        shown = Some(first);
    }
    let section = Section::new(name, Body::Rows { columns, rows: Rows { rows, more: false }, shown });
    if count > SHOWN {
        section.noted(format!("and {} more; --format=json has them all", count - SHOWN))
    } else {
        section
    }
}
