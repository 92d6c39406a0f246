//! `jobs failed`: jobs that failed or expired and will not be retried.

use std::time::Duration;

use clap::Args;
use sqlx::postgres::PgArguments;

use crate::collect::collector::Query;
use crate::config::values::{self, SECOND, YEAR};
use crate::inspect::bind::{Thresholds, bind};
use crate::inspect::command::ListCommand;
use crate::inspect::listing::{Listing, QUERY_BY_QUEUE, duration, id, listing, number, state, text, time};
use crate::inspect::options::QueueFilter;
use crate::postgres::Failure;

#[derive(Debug, Clone, Args)]
pub(crate) struct JobsFailed {
    #[command(flatten)]
    filter: QueueFilter,

    /// Only jobs that failed within this time before now
    #[arg(long, value_name = "DURATION", value_parser = values::duration(SECOND, YEAR))]
    since: Option<Duration>,
}

listing! {
    LISTING, "jobs/", "failed.sql", "job",
    [
        id("id"),
        text("queue").from("name"),
        state("state"),
        id("dag_id").optional("uuid"),
        number("retry_count"),
        number("retry_limit"),
        time("started_on"),
        time("completed_on"),
        duration("last_attempt").computed(),
    ],
    Query { ..QUERY_BY_QUEUE }
}

impl JobsFailed {
    pub(crate) const QUERIES: &[&Query] = &[&LISTING.query];
}

impl ListCommand for JobsFailed {
    fn listing(&self) -> &'static Listing {
        &LISTING
    }

    fn bind(&self, arguments: &mut PgArguments, _: &Thresholds, _: Option<&[String]>) -> Result<(), Failure> {
        bind(arguments, self.queue())?;
        bind(arguments, self.since.map(|since| since.as_secs_f64()))
    }

    fn queue(&self) -> Option<&str> {
        self.filter.queue.as_deref()
    }
}
