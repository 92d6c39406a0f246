//! `marie-exporter stats`: the maintenance page's three tables of numbers. They count finished jobs too, so that on a
//! large history they take the database seconds; whoever wants them often asks `/metrics`.

use super::QUERY_BY_QUEUE;
use super::arguments::add;
use super::listing::Listing;
use super::reader::{Merge, Reader};
use crate::collect::collector::Query;
use crate::collect::collector::declare::sql;
use crate::inspect::args::{Output, Statistic, Stats};
use crate::postgres::Failure;
use crate::schema::Need;
use crate::terminal::columns::{Column, Kind, Rows, number, text, time};

pub(super) static BY_QUEUE: Listing = Listing {
    columns: &[
        text("queue"),
        number("created"),
        number("retry"),
        number("active"),
        number("completed"),
        number("failed"),
        number("expired"),
        number("cancelled"),
        number("skipped"),
        number("other"),
        number("total"),
    ],
    query: Query {
        sql: sql!("stats/by_queue.sql"),
        needs: &[Need::Columns("job", &["name", "state"])],
        ..QUERY_BY_QUEUE
    },
};

pub(super) static THROUGHPUT: Listing = Listing {
    columns: &[time("hour"), number("completed"), Column { name: "bar", kind: Kind::Bar }],
    query: Query {
        sql: sql!("stats/throughput.sql"),
        needs: &[Need::Columns("job", &["name", "state", "completed_on"])],
        ..QUERY_BY_QUEUE
    },
};

pub(super) static RETRIES: Listing = Listing {
    columns: &[text("queue"), number("jobs"), number("average_retries"), number("most_retries")],
    query: Query {
        sql: sql!("stats/retries.sql"),
        needs: &[Need::Columns("job", &["name", "retry_count"])],
        ..QUERY_BY_QUEUE
    },
};

/// # Errors
/// Any failure of the database.
pub(super) async fn stats(
    reader: &mut Reader<'_>,
    asked: &Stats,
    output: &Output,
) -> Result<(&'static Listing, Rows), Failure> {
    let (listing, merge) = match asked.what {
        None => (&BY_QUEUE, Merge::Rows),
        Some(Statistic::Throughput) => (&THROUGHPUT, Merge::Sql(include_str!("stats/merged_throughput.sql"))),
        Some(Statistic::Retries) => (&RETRIES, Merge::Rows),
    };
    let filters = |arguments: &mut _, _: Option<&[String]>| add(arguments, &asked.of.queue);
    Ok((listing, reader.page(listing, merge, Some(output.into()), &filters).await?))
}
