//! `marie-exporter queues`: the queues, their settings, and their unfinished jobs.

use clap::Args;
use sqlx::postgres::PgArguments;

use super::bind::Thresholds;
use super::command::{ListCommand, command_group};
use super::listing::{Listing, QUERY_BY_QUEUE, listing, number, text};
use super::options::ListOptions;
use super::reader::Merge;
use crate::collect::collector::Query;
use crate::collect::collector::declare::sql;
use crate::postgres::{Failure, Reason};
use crate::schema::{Lack, Schema};

command_group! {
    QueuesAction {
        /// Queues with their settings and their unfinished jobs
        List(QueuesList, ListOptions),
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct QueuesList {}

listing! {
    LISTING, sql!("queues/list.sql"); "queue",
    [
        text("queue").from("name"),
        number("retry_limit").optional("int"),
        number("retry_delay").optional("int"),
        text("retry_backoff").optional("bool"),
        number("expire_seconds").optional("int"),
        number("retention_minutes").optional("int"),
        text("dead_letter").optional("text"),
        text("policy").optional("text"),
        number("created").computed(),
        number("retry").computed(),
        number("active").computed(),
    ],
    also Need::Columns("job", &["name", "state"]),
    Query { ..QUERY_BY_QUEUE }
}

impl QueuesList {
    pub(crate) const QUERIES: &[&Query] = &[&LISTING.query];
}

impl ListCommand for QueuesList {
    fn listing(&self) -> &'static Listing {
        &LISTING
    }

    fn bind(&self, _: &mut PgArguments, _: &Thresholds, _: Option<&[String]>) -> Result<(), Failure> {
        Ok(())
    }

    fn merge(&self) -> Merge {
        Merge::Sql(include_str!("queues/merged.sql"))
    }

    /// Names another command where the shape has no table of queues.
    fn check(&self, schema: &Schema) -> Result<(), Failure> {
        match LISTING.query.lack(schema) {
            Some(lack @ Lack::Missing(_)) => Err(Failure::new(
                Reason::Permission,
                format!(
                    "{}: {lack}; marie-exporter stats shows the queues that hold jobs",
                    LISTING.query.sql.name
                ),
            )),
            _ => Ok(()),
        }
    }
}
