//! `jobs retrying`: jobs that failed and wait for their next attempt.

use clap::Args;
use sqlx::postgres::PgArguments;

use crate::collect::collector::Query;
use crate::inspect::bind::{Thresholds, bind};
use crate::inspect::command::ListCommand;
use crate::inspect::listing::{
    Listing, QUERY_BY_QUEUE, duration, id, listing, number, text, time, unprinted,
};
use crate::inspect::options::QueueFilter;
use crate::postgres::Failure;

#[derive(Debug, Clone, Args)]
pub(crate) struct JobsRetrying {
    #[command(flatten)]
    filter: QueueFilter,
}

listing! {
    LISTING, "jobs/", "retrying.sql", "job",
    [
        id("id"),
        text("queue").from("name"),
        id("dag_id").optional("uuid"),
        number("retry_count"),
        number("retry_limit"),
        time("started_on"),
        time("start_after").optional("timestamptz"),
        duration("due_in").computed(),
        unprinted("state"),
    ],
    Query { ..QUERY_BY_QUEUE }
}

impl JobsRetrying {
    pub(crate) const QUERIES: &[&Query] = &[&LISTING.query];
}

impl ListCommand for JobsRetrying {
    fn listing(&self) -> &'static Listing {
        &LISTING
    }

    fn bind(&self, arguments: &mut PgArguments, _: &Thresholds, _: Option<&[String]>) -> Result<(), Failure> {
        bind(arguments, self.queue())
    }

    fn queue(&self) -> Option<&str> {
        self.filter.queue.as_deref()
    }
}
