//! The settings of each queue, as far as they are set.

use sqlx::Arguments;
use sqlx::postgres::PgArguments;

use super::{QUEUE, UNFINISHED};
use crate::collect::collector::declare::{optional, sql};
use crate::collect::collector::{Collector, Query};
use crate::collect::queue_labels::LONGEST;
use crate::metrics::{Family, Kind, Merge};
use crate::schema::Need;

pub static COLLECTOR: Collector = Collector {
    name: "queues",
    about: "Queues and their settings",
    families: &[&QUEUE_INFO, &RETRY_LIMIT, &RETENTION, &EXPIRE],
    joint: &[],
    queries: &[Query {
        sql: sql!("queues.sql"),
        needs: &[Need::Columns("queue", &["name"])],
        optional: &[
            optional!("queue"."policy": "text"),
            optional!("queue"."dead_letter": "text"),
            optional!("queue"."retry_limit": "int"),
            optional!("queue"."retention_minutes": "int"),
            optional!("queue"."expire_seconds": "int"),
        ],
        index: None,
        arguments: |context| {
            let mut arguments = PgArguments::default();
            arguments.add(context.queues.published().collect::<Vec<_>>())?;
            arguments.add(i32::try_from(LONGEST)?)?;
            arguments.add(context.schema.sendable_text())?;
            Ok(arguments)
        },
        ..UNFINISHED
    }],
};

static QUEUE_INFO: Family = Family {
    name: "marie_queue_info",
    kind: Kind::Gauge,
    labels: &[QUEUE, "policy", "dead_letter"],
    help: "1 for each row of the queue table, with its policy and dead-letter queue (empty where not set). Twins \
           named $..._dlq are left out until they hold a job.",
    merge: Merge::Drop,
};

static RETRY_LIMIT: Family = Family {
    name: "marie_queue_retry_limit",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "Retries that the queue grants, where set. Jobs that come through the gateway carry a limit of their own.",
    merge: Merge::Drop,
};

static RETENTION: Family = Family {
    name: "marie_queue_retention_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "How long the queue means to keep finished jobs, in seconds, where set. Nothing enforces it.",
    merge: Merge::Drop,
};

static EXPIRE: Family = Family {
    name: "marie_queue_expire_seconds",
    kind: Kind::Gauge,
    labels: &[QUEUE],
    help: "How long the queue lets a job run, in seconds, where set. Jobs carry a limit of their own.",
    merge: Merge::Drop,
};
