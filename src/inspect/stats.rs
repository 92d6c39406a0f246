//! `marie-exporter stats`: the three tables of numbers of the maintenance page.
//!
//! They count finished jobs too, which takes seconds on a large history. For regular use the same numbers are in the
//! metrics.

use clap::{Args, ValueEnum};
use sqlx::postgres::PgArguments;

use super::bind::{Thresholds, bind};
use super::command::ListCommand;
use super::listing::{Listing, QUERY_BY_QUEUE, bar, listing, number, text, time, unprinted};
use super::options::QueueFilter;
use super::reader::Merge;
use crate::collect::collector::Query;
use crate::collect::collector::declare::sql;
use crate::postgres::Failure;

#[derive(Debug, Clone, Args)]
pub struct Stats {
    /// What to count instead of jobs by queue and state
    what: Option<Statistic>,

    #[command(flatten)]
    filter: QueueFilter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Statistic {
    /// Jobs completed in each of the last 24 hours
    Throughput,
    /// Retried jobs by queue
    Retries,
}

listing! {
    BY_QUEUE, sql!("stats/by_queue.sql"); "job",
    [
        text("queue").from("name"),
        number("created").computed(),
        number("retry").computed(),
        number("active").computed(),
        number("completed").computed(),
        number("failed").computed(),
        number("expired").computed(),
        number("cancelled").computed(),
        number("skipped").computed(),
        number("other").computed(),
        number("total").computed(),
        unprinted("state"),
    ],
    Query { ..QUERY_BY_QUEUE }
}

listing! {
    THROUGHPUT, sql!("stats/throughput.sql"); "job",
    [
        time("hour").from("completed_on"),
        number("completed").computed(),
        bar("bar").computed(),
        unprinted("name"),
        unprinted("state"),
    ],
    Query { ..QUERY_BY_QUEUE }
}

listing! {
    RETRIES, sql!("stats/retries.sql"); "job",
    [
        text("queue").from("name"),
        number("jobs").computed(),
        number("average_retries").from("retry_count"),
        number("most_retries").computed(),
    ],
    Query { ..QUERY_BY_QUEUE }
}

impl Stats {
    pub(crate) const QUERIES: &[&Query] = &[&BY_QUEUE.query, &THROUGHPUT.query, &RETRIES.query];
}

impl ListCommand for Stats {
    fn listing(&self) -> &'static Listing {
        match self.what {
            None => &BY_QUEUE,
            Some(Statistic::Throughput) => &THROUGHPUT,
            Some(Statistic::Retries) => &RETRIES,
        }
    }

    fn bind(&self, arguments: &mut PgArguments, _: &Thresholds, _: Option<&[String]>) -> Result<(), Failure> {
        bind(arguments, self.queue())
    }

    fn queue(&self) -> Option<&str> {
        self.filter.queue.as_deref()
    }

    fn merge(&self) -> Merge {
        match self.what {
            Some(Statistic::Throughput) => Merge::Sql(include_str!("stats/merged_throughput.sql")),
            None | Some(Statistic::Retries) => Merge::Rows,
        }
    }
}
