//! `jobs overdue`: unfinished jobs that are past their hard or soft SLA.

use clap::{Args, ValueEnum};
use sqlx::postgres::PgArguments;

use crate::collect::collector::Query;
use crate::inspect::bind::{Thresholds, bind};
use crate::inspect::command::ListCommand;
use crate::inspect::listing::{Listing, QUERY_BY_QUEUE, duration, id, listing, state, text, time, unprinted};
use crate::inspect::options::QueueFilter;
use crate::postgres::Failure;

#[derive(Debug, Clone, Args)]
pub(crate) struct JobsOverdue {
    #[command(flatten)]
    filter: QueueFilter,

    /// Which SLA was missed
    #[arg(long, default_value = "hard")]
    sla: Sla,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sla {
    Hard,
    Soft,
}

impl Sla {
    /// As in the label `sla` of the metrics.
    fn label(self) -> &'static str {
        match self {
            Sla::Hard => "hard",
            Sla::Soft => "soft",
        }
    }
}

listing! {
    LISTING, "jobs/", "overdue.sql", "job",
    [
        id("id"),
        text("queue").from("name"),
        state("state"),
        id("dag_id").optional("uuid"),
        time("created_on"),
        time("sla").computed(),
        duration("overdue_for").computed(),
        unprinted("soft_sla"),
        unprinted("hard_sla"),
    ],
    Query { ..QUERY_BY_QUEUE }
}

impl JobsOverdue {
    pub(crate) const QUERIES: &[&Query] = &[&LISTING.query];
}

impl ListCommand for JobsOverdue {
    fn listing(&self) -> &'static Listing {
        &LISTING
    }

    fn bind(&self, arguments: &mut PgArguments, _: &Thresholds, _: Option<&[String]>) -> Result<(), Failure> {
        bind(arguments, self.queue())?;
        bind(arguments, self.sla.label())
    }

    fn queue(&self) -> Option<&str> {
        self.filter.queue.as_deref()
    }
}
