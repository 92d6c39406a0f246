//! Measures how long a query of a collector takes, or the pass that feeds it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::collect::collector::{Context, Query};
use crate::collect::division::{self, Transactions};
use crate::collect::pace::PassKind;
use crate::collect::pass::Pass;
use crate::collect::queue_labels::{QueueInventory, QueueLabels};
use crate::config::Config;
use crate::postgres::{Failure, Run, Session};
use crate::schema::Schema;

/// Returns how long the query takes.
pub(super) async fn time_query(
    config: &Config,
    session: &mut Session,
    schema: &Schema,
    query: &'static Query,
) -> Result<Duration, Failure> {
    let mut run = session.begin().await?;
    let queues = known_queues(config, &mut run, schema).await;
    session.finish(run, queues.as_ref().err()).await;
    let queues = queues?;
    let started = Instant::now();
    match query.pass {
        Some(kind) => run_pass(config, session, schema, queues, kind).await?,
        None => {
            let context = Context { config, schema, queues: &queues };
            division::fetch(session, query, &context).await?.parts?;
        }
    }
    Ok(started.elapsed())
}

/// Runs a pass to its end.
async fn run_pass(
    config: &Config,
    session: &mut Session,
    schema: &Schema,
    queues: QueueLabels,
    kind: PassKind,
) -> Result<(), Failure> {
    let mut pass = Pass::begin(kind, Arc::new(schema.clone()), queues, kind.first_slice());
    loop {
        let mut transactions = Transactions::new(session, schema);
        let plans = pass.plans();
        if transactions.run_with(plans, async |run| pass.step(run, config).await).await? {
            return Ok(());
        }
    }
}

async fn known_queues(config: &Config, run: &mut Run, schema: &Schema) -> Result<QueueLabels, Failure> {
    schema.permit_policies(run).await?;
    QueueLabels::read(run, schema, &QueueInventory::default(), &config.queues).await
}
