//! `marie-exporter queues`: the queues, how they are set up, and how much work they hold.

use super::QUERY_BY_QUEUE;
use super::listing::Listing;
use super::reader::{Merge, Reader};
use crate::collect::collector::Query;
use crate::collect::collector::declare::{optional, sql};
use crate::inspect::args::Output;
use crate::postgres::{Failure, Reason};
use crate::schema::{Lack, Need};
use crate::terminal::columns::{Rows, number, text};

pub(super) static LIST: Listing = Listing {
    columns: &[
        text("queue"),
        number("retry_limit"),
        number("retry_delay"),
        text("retry_backoff"),
        number("expire_seconds"),
        number("retention_minutes"),
        text("dead_letter"),
        text("policy"),
        number("created"),
        number("retry"),
        number("active"),
    ],
    query: Query {
        sql: sql!("queues/list.sql"),
        needs: &[Need::Columns("queue", &["name"]), Need::Columns("job", &["name", "state"])],
        optional: &[
            optional!("queue"."retry_limit": "int"),
            optional!("queue"."retry_delay": "int"),
            optional!("queue"."retry_backoff": "bool"),
            optional!("queue"."expire_seconds": "int"),
            optional!("queue"."retention_minutes": "int"),
            optional!("queue"."dead_letter": "text"),
            optional!("queue"."policy": "text"),
        ],
        ..QUERY_BY_QUEUE
    },
};

/// # Errors
/// Any failure of the database, and where it has no table of queues.
pub(super) async fn list(reader: &mut Reader<'_>, output: &Output) -> Result<Rows, Failure> {
    if let Some(lack @ Lack::Missing(_)) = LIST.query.lack(&reader.schema) {
        let message =
            format!("{}: {lack}; marie-exporter stats shows the queues that hold jobs", LIST.query.sql.name);
        return Err(Failure::new(Reason::Permission, message));
    }
    let merge = Merge::Sql(include_str!("queues/merged.sql"));
    reader.page(&LIST, merge, Some(output.into()), &|_, _| Ok(())).await
}
