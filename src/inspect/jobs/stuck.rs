//! `jobs stuck`: active jobs that have run longer than their queue's threshold.

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
pub(crate) struct JobsStuck {
    #[command(flatten)]
    filter: QueueFilter,
}

listing! {
    /// `top` shows some of its columns.
    pub(in crate::inspect) LISTING, "jobs/", "stuck.sql", "job",
    [
        id("id"),
        text("queue").from("name"),
        id("dag_id").optional("uuid"),
        time("started_on"),
        duration("active_for").computed(),
        duration("threshold").computed(),
        number("retry_count"),
        text("run_owner").optional("text"),
        unprinted("state"),
    ],
    Query { ..QUERY_BY_QUEUE }
}

impl JobsStuck {
    pub(crate) const QUERIES: &[&Query] = &[&LISTING.query];
}

impl ListCommand for JobsStuck {
    fn listing(&self) -> &'static Listing {
        &LISTING
    }

    fn bind(
        &self,
        arguments: &mut PgArguments,
        thresholds: &Thresholds,
        _: Option<&[String]>,
    ) -> Result<(), Failure> {
        bind(arguments, self.queue())?;
        thresholds.bind_to(arguments)
    }

    fn queue(&self) -> Option<&str> {
        self.filter.queue.as_deref()
    }
}
