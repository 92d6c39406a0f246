//! Reads the queue inventory: in one transaction, or in several if one would take too many locks.

use std::time::Duration;

use crate::collect::collector::{Context, Division, Query, SqlFile};
use crate::collect::division;
use crate::collect::pace::Pace;
use crate::collect::queue_labels::{self, QueueInventory, QueueLabels};
use crate::config::Config;
use crate::postgres::{Failure, Session};
use crate::schema::Schema;

/// A queue inventory, and how long the database was busy.
pub(super) struct Inventory {
    pub(super) outcome: Result<QueueInventory, Failure>,
    pub(super) busy: Duration,
}

/// Base of the queries of the inventory.
const OVER_JOBS: Query = Query {
    sql: SqlFile { name: "", text: "" },
    pace: Pace::Backlog,
    pass: None,
    wanted: |_| true,
    by_queue: &[],
    optional: &[],
    needs: &[queue_labels::NAMES_IN_JOB],
    fallbacks: &[],
    definitions: &[],
    index: None,
    division: Division::ByQueue,
    arguments: |context| queue_labels::name_arguments(context.schema, &context.config.queues),
};

static NAMES: Query = Query {
    sql: SqlFile { name: "names_by_index.sql", text: include_str!("../queue_labels/names_by_index.sql") },
    ..OVER_JOBS
};

static BUSIEST: Query = Query {
    sql: SqlFile { name: "busiest.sql", text: include_str!("../queue_labels/busiest.sql") },
    ..OVER_JOBS
};

/// Reads the queue inventory.
///
/// # Errors
/// If the database cannot be reached.
pub(super) async fn read(
    session: &mut Session,
    config: &Config,
    schema: &Schema,
) -> Result<Inventory, Failure> {
    if NAMES.is_divided(schema) {
        return read_by_groups(session, config, schema).await;
    }
    let mut run = session.begin().await?;
    let outcome = match schema.permit_policies(&mut run).await {
        Ok(()) => QueueInventory::read(&mut run, schema, &config.queues).await,
        Err(failure) => Err(failure),
    };
    let busy = run.busy();
    session.finish(run, outcome.as_ref().err()).await;
    Ok(Inventory { outcome, busy })
}

/// Reads the inventory in one transaction for each group of queues.
async fn read_by_groups(
    session: &mut Session,
    config: &Config,
    schema: &Schema,
) -> Result<Inventory, Failure> {
    let context = Context { config, schema, queues: &QueueLabels::default() };
    let names = division::fetch(session, &NAMES, &context).await?;
    let busiest = division::fetch(session, &BUSIEST, &context).await?;
    let busy = names.busy + busiest.busy;
    let outcome = names.parts.and_then(|names| {
        let busiest = busiest.parts?;
        QueueInventory::from_rows(names.iter().flatten(), busiest.iter().flatten(), &config.queues)
    });
    Ok(Inventory { outcome, busy })
}
