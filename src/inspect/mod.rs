//! The reading commands, for the person who was paged: which jobs, queues and DAGs are behind the numbers. Each is one
//! or more [`Listing`](listing::Listing)s, a query with the columns to show, run in one read-only transaction;
//! `print` makes a table, JSON or CSV of the rows.

pub mod args;
mod arguments;
pub mod check;
pub mod dags;
mod fallbacks;
pub mod grants;
pub mod jobs;
pub mod listing;
pub mod queues;
pub mod reader;
mod scope;
mod sheet;
pub mod stats;
pub mod top;

use sqlx::postgres::PgArguments;

use self::listing::Listing;
use self::reader::Reader;
use self::scope::Scope;
use self::sheet::Sheet;
use crate::collect::collector::{Division, Pace, Query, SqlFile};
use crate::config::Config;
use crate::inspect::args::{Output, OutputFormat, Reading, ShowFormat};
use crate::terminal::columns::Rows;
use crate::terminal::table::{self, Style};

/// Every query that needs no more than the exporter's own role may read; `grants` gives what they need.
pub static QUERIES: &[&Query] = &[
    &jobs::LIST.query,
    &jobs::STUCK.query,
    &jobs::FAILED.query,
    &jobs::RETRYING.query,
    &jobs::OVERDUE.query,
    &jobs::NEXT.query,
    &jobs::sections::JOB.query,
    &jobs::sections::SETTINGS.query,
    &jobs::sections::LEASES.query,
    &jobs::sections::PARENTS.query,
    &jobs::sections::CHILDREN.query,
    &jobs::sections::ATTEMPTS.query,
    &jobs::sections::BOUNDS.query,
    &jobs::sections::TIMELINE.query,
    &jobs::sections::ARCHIVED.query,
    &queues::LIST.query,
    &dags::LIST.query,
    &dags::JOB_COUNTS.query,
    &dags::show::DAG.query,
    &dags::show::PROGRESS.query,
    &dags::show::JOBS.query,
    &dags::show::EDGES.query,
    &dags::show::OUTSIDE.query,
    &stats::BY_QUEUE.query,
    &stats::THROUGHPUT.query,
    &stats::RETRIES.query,
    &top::panes::QUEUES.query,
    &top::panes::READY.query,
    &top::panes::RUNNING.query,
    &top::panes::COMPLETED.query,
];

/// What the queries have in common; their arguments are the command's.
const QUERY: Query = Query {
    sql: SqlFile { name: "", text: "" },
    pace: Pace::Fast,
    wanted: |_| true,
    by_queue: &[],
    optional: &[],
    needs: &[],
    fallbacks: &[],
    definitions: &[],
    index: None,
    division: Division::Whole,
    arguments: |_| Ok(PgArguments::default()),
};

/// The same for those whose rows of one queue do not depend on other queues.
const QUERY_BY_QUEUE: Query = Query { division: Division::ByQueue, ..QUERY };

/// What a command prints on standard output, and what it has to say besides.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
    /// That there are more rows, and how to see them.
    pub note: Option<String>,
}

/// Answers one reading command.
///
/// # Errors
/// Where the database cannot be reached or does not answer in time, where it lacks a table or our role a right, and
/// where there is no such job or DAG.
pub async fn read(config: &Config, reading: &Reading, style: Style) -> anyhow::Result<Answer> {
    let scope = match (reading, queue(reading)) {
        (Reading::JobsShow(asked, _), _) => Scope::Job(asked.id),
        (Reading::DagsShow(asked, _), _) => Scope::Dag(asked.id),
        (Reading::JobsNext(..), Some(queue)) => Scope::QueueWithParents(queue),
        (_, Some(queue)) => Scope::Queue(queue),
        _ => Scope::AllJobs,
    };
    let mut reader = Reader::open(config, timezone(reading), scope).await?;
    let answer = answer(&mut reader, reading, style).await;
    reader.close().await;
    answer
}

fn timezone(reading: &Reading) -> &str {
    let times = match reading {
        Reading::JobsList(_, output)
        | Reading::JobsStuck(_, output)
        | Reading::JobsFailed(_, output)
        | Reading::JobsRetrying(_, output)
        | Reading::JobsNext(_, output)
        | Reading::JobsOverdue(_, output)
        | Reading::QueuesList(output)
        | Reading::DagsList(_, output)
        | Reading::Stats(_, output) => &output.times,
        Reading::JobsShow(_, output) | Reading::DagsShow(_, output) => &output.times,
    };
    &times.timezone
}

async fn answer(reader: &mut Reader<'_>, reading: &Reading, style: Style) -> anyhow::Result<Answer> {
    reader.note_filters(&filters(reading)).await?;
    let (listing, rows, output) = match reading {
        Reading::JobsList(asked, output) => (&jobs::LIST, jobs::list(reader, asked, output).await?, output),
        Reading::JobsStuck(asked, output) => {
            (&jobs::STUCK, jobs::stuck(reader, asked, output).await?, output)
        }
        Reading::JobsFailed(asked, output) => {
            (&jobs::FAILED, jobs::failed(reader, asked, output).await?, output)
        }
        Reading::JobsRetrying(asked, output) => {
            (&jobs::RETRYING, jobs::retrying(reader, asked, output).await?, output)
        }
        Reading::JobsOverdue(asked, output) => {
            (&jobs::OVERDUE, jobs::overdue(reader, asked, output).await?, output)
        }
        Reading::JobsNext(asked, output) => (&jobs::NEXT, jobs::next(reader, asked, output).await?, output),
        Reading::QueuesList(output) => (&queues::LIST, queues::list(reader, output).await?, output),
        Reading::DagsList(asked, output) => (&dags::LIST, dags::list(reader, asked, output).await?, output),
        Reading::Stats(asked, output) => {
            let (listing, rows) = stats::stats(reader, asked, output).await?;
            (listing, rows, output)
        }
        Reading::JobsShow(asked, output) => {
            let sheet = jobs::show::show(reader, asked).await?;
            return Ok(Answer { text: whole(&sheet, output.format, style)?, note: None });
        }
        Reading::DagsShow(asked, output) => {
            let sheet = dags::show::show(reader, asked).await?;
            return Ok(Answer { text: whole(&sheet, output.format, style)?, note: None });
        }
    };
    let mut note = note(&rows, output, reader.transactions());
    if rows.rows.is_empty()
        && let Some(queue) = queue(reading)
        && !reader.knows_queue(queue).await?
    {
        // Else a slip of the pen would read as "all is well".
        note = Some(format!("None: there is no queue {queue:?} here; queues list has them"));
    }
    Ok(Answer { text: text(listing, &rows, output.format, style)?, note })
}

/// The texts that rows have to match.
fn filters(reading: &Reading) -> Vec<&str> {
    let mut filters: Vec<&str> = queue(reading).into_iter().collect();
    match reading {
        Reading::JobsList(asked, _) => {
            filters.extend(asked.state.iter().map(String::as_str));
            filters.extend(asked.metadata.iter().flat_map(|(key, value)| [key.as_str(), value]));
        }
        Reading::DagsList(asked, _) => {
            filters.extend(asked.state.iter().chain(&asked.planner).map(String::as_str));
        }
        _ => {}
    }
    filters
}

/// The queue that was asked for.
fn queue(reading: &Reading) -> Option<&str> {
    let of = match reading {
        Reading::JobsList(asked, _) => &asked.of,
        Reading::JobsFailed(asked, _) => &asked.of,
        Reading::JobsNext(asked, _) => &asked.of,
        Reading::JobsOverdue(asked, _) => &asked.of,
        Reading::JobsStuck(of, _) | Reading::JobsRetrying(of, _) => of,
        Reading::Stats(asked, _) => &asked.of,
        Reading::JobsShow(..) | Reading::QueuesList(_) | Reading::DagsList(..) | Reading::DagsShow(..) => {
            return None;
        }
    };
    of.queue.as_deref()
}

fn whole(sheet: &Sheet, format: ShowFormat, style: Style) -> anyhow::Result<String> {
    Ok(match format {
        ShowFormat::Table => sheet.table(style),
        ShowFormat::Json => sheet.json()?,
    })
}

fn text(listing: &Listing, rows: &Rows, format: OutputFormat, style: Style) -> anyhow::Result<String> {
    Ok(match format {
        OutputFormat::Table => table::table(listing.columns, rows, style),
        OutputFormat::Json => table::json(listing.columns, rows)?,
        OutputFormat::Csv => table::csv(listing.columns, rows, style, false)?,
        OutputFormat::CsvSpreadsheet => table::csv(listing.columns, rows, style, true)?,
    })
}

fn note(rows: &Rows, output: &Output, transactions: usize) -> Option<String> {
    let mut notes = Vec::new();
    if rows.more {
        notes.push(format!("There are more: --page {}, or a larger --limit", output.page + 1));
    } else if rows.rows.is_empty() && output.format == OutputFormat::Table {
        notes.push("None.".to_owned());
    }
    if transactions > 1 {
        notes.push(format!(
            "Read in {transactions} transactions, one for each group of queues, because one for all would take too many \
             locks; so these rows are not of one instant"
        ));
    }
    (!notes.is_empty()).then(|| notes.join("\n"))
}
