//! `jobs list`: jobs by state, queue, DAG, age or metadata.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use std::time::Duration;

use clap::Args;
use sqlx::postgres::PgArguments;
use sqlx::types::Uuid;

use crate::collect::collector::{Fallback, Query, SqlFile};
use crate::config::values::{self, SECOND, YEAR};
use crate::inspect::bind::{Thresholds, bind};
use crate::inspect::command::ListCommand;
use crate::inspect::listing::{Listing, QUERY_BY_QUEUE, id, listing, number, state, text, time};
use crate::inspect::options::QueueFilter;
use crate::postgres::{Failure, Reason};
use crate::schema::{Need, Schema};

#[derive(Debug, Clone, Args)]
pub(crate) struct JobsList {
    /// Only jobs in this state; can be repeated
    #[arg(long, value_name = "STATE")]
    state: Vec<String>,

    #[command(flatten)]
    filter: QueueFilter,

    /// Only jobs of this DAG
    #[arg(long = "dag", id = "of-dag", value_name = "ID", value_parser = values::id)]
    dag: Option<Uuid>,

    /// Only jobs whose data->metadata has this value under this key; can be repeated, then all of them must match
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::pair)]
    metadata: Vec<(String, String)>,

    /// Only jobs created within this time before now
    #[arg(long, value_name = "DURATION", value_parser = values::duration(SECOND, YEAR))]
    since: Option<Duration>,
}

listing! {
    LISTING, "jobs/", "list.sql", "job",
    [
        id("id"),
        text("queue").from("name"),
        state("state"),
        id("dag_id").optional("uuid"),
        number("priority").optional("int"),
        number("retry_count"),
        number("retry_limit"),
        time("created_on"),
        time("started_on"),
        time("completed_on"),
    ],
    Query { ..QUERY_BY_QUEUE }
}

/// The same with a filter on the payload, which the exporter's own role may not read.
static MATCHING: Listing = Listing {
    columns: LISTING.columns,
    query: Query {
        sql: SqlFile { name: "jobs/matching.sql", text: include_str!("list.sql") },
        needs: &[LISTING.query.needs[0], Need::Columns("job", &["data", "dag_id", "priority"])],
        fallbacks: &[Fallback {
            table: "job",
            instead_of: &[],
            sql: include_str!("matching.sql"),
            needs: &[],
        }],
        ..QUERY_BY_QUEUE
    },
};

impl JobsList {
    pub(crate) const QUERIES: &[&Query] = &[&LISTING.query];
}

impl ListCommand for JobsList {
    fn listing(&self) -> &'static Listing {
        if self.metadata.is_empty() { &LISTING } else { &MATCHING }
    }

    fn bind(&self, arguments: &mut PgArguments, _: &Thresholds, _: Option<&[String]>) -> Result<(), Failure> {
        bind(arguments, &self.state)?;
        bind(arguments, self.queue())?;
        bind(arguments, self.dag)?;
        bind(arguments, self.since.map(|since| since.as_secs_f64()))?;
        if self.metadata.is_empty() {
            return Ok(());
        }
        let (keys, values): (Vec<&str>, Vec<&str>) =
            self.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).unzip();
        bind(arguments, keys)?;
        bind(arguments, values)
    }

    fn queue(&self) -> Option<&str> {
        self.filter.queue.as_deref()
    }

    fn filters(&self) -> Vec<&str> {
        let metadata = self.metadata.iter().flat_map(|(key, value)| [key.as_str(), value]);
        self.state.iter().map(String::as_str).chain(metadata).collect()
    }

    /// Rejects a state that this database does not have.
    fn check(&self, schema: &Schema) -> Result<(), Failure> {
        let states = schema.states();
        match self.state.iter().find(|state| !states.contains(state)) {
            Some(unknown) if !schema.takes_any_state() => Err(Failure::new(
                Reason::Other,
                format!("--state: jobs here have no state {unknown:?}; there are {}", states.join(", ")),
            )),
            _ => Ok(()),
        }
    }
}
