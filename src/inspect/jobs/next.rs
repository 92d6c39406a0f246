//! `jobs next`: jobs that a worker could take now, in the order in which the scheduler takes them.

use clap::Args;
use sqlx::postgres::PgArguments;
use sqlx::types::Uuid;

use crate::collect::collector::definition::WAITING_JOB;
use crate::collect::collector::{Division, Query};
use crate::collect::collectors::statistics::{DEPENDENCIES_FROM_JSON, NO_DAGS};
use crate::config::values;
use crate::inspect::bind::{Thresholds, bind};
use crate::inspect::command::ListCommand;
use crate::inspect::listing::{Listing, QUERY_BY_QUEUE, duration, id, listing, number, state, text, time};
use crate::inspect::options::QueueFilter;
use crate::inspect::reader::Merge;
use crate::inspect::scope::Scope;
use crate::postgres::Failure;

#[derive(Debug, Clone, Args)]
pub(crate) struct JobsNext {
    #[command(flatten)]
    filter: QueueFilter,

    /// Only jobs of this DAG
    #[arg(long = "dag", id = "of-dag", value_name = "ID", value_parser = values::id)]
    dag: Option<Uuid>,

    /// The next job of each DAG instead of all that are ready
    #[arg(long)]
    per_dag: bool,
}

listing! {
    LISTING, "jobs/", "next.sql", "job",
    [
        id("id"),
        text("queue").from("name"),
        state("state"),
        id("dag_id").optional("uuid"),
        number("priority"),
        time("created_on"),
        time("start_after").optional("timestamptz"),
        duration("age").computed(),
    ],
    Query {
        fallbacks: &[NO_DAGS, DEPENDENCIES_FROM_JSON],
        definitions: &[WAITING_JOB],
        division: Division::ByQueueWithParents,
        ..QUERY_BY_QUEUE
    }
}

impl JobsNext {
    pub(crate) const QUERIES: &[&Query] = &[&LISTING.query];
}

impl ListCommand for JobsNext {
    fn listing(&self) -> &'static Listing {
        &LISTING
    }

    fn bind(
        &self,
        arguments: &mut PgArguments,
        _: &Thresholds,
        group: Option<&[String]>,
    ) -> Result<(), Failure> {
        match self.queue() {
            Some(queue) => bind(arguments, vec![queue])?,
            None => bind(arguments, group)?,
        }
        bind(arguments, self.dag)?;
        bind(arguments, self.per_dag)
    }

    fn queue(&self) -> Option<&str> {
        self.filter.queue.as_deref()
    }

    fn scope(&self) -> Scope<'_> {
        self.queue().map_or(Scope::AllJobs, Scope::QueueWithParents)
    }

    fn merge(&self) -> Merge {
        if self.per_dag { Merge::Sql(include_str!("merged_next_of_dags.sql")) } else { Merge::Rows }
    }
}
