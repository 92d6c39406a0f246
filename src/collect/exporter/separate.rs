//! Runs the queries of a collector in separate transactions, because one transaction would take too many locks.

use std::time::Duration;

use super::Exporter;
use crate::collect::collector::{Collector, Context, Lane, QuerySamples};
use crate::collect::division;
use crate::collect::queue_labels::QueueLabels;
use crate::postgres::{Failure, Session};
use crate::schema::Schema;

impl Exporter {
    /// Runs a collector's queries of one lane, each in transactions of its own, and adds their results to `samples` up to
    /// the first failure. Returns also how long the database was busy.
    ///
    /// # Errors
    /// If the database cannot be reached. The inner result has the failure of a query.
    pub(super) async fn collect_separately(
        &self,
        collector: &'static Collector,
        lane: Lane,
        schema: &Schema,
        session: &mut Session,
        samples: &mut Vec<QuerySamples>,
    ) -> Result<(Result<(), Failure>, Duration), Failure> {
        let (queues, mut busy) = self.read_queue_labels(schema, session).await?;
        let mut queues = match queues {
            Ok(queues) => queues,
            Err(failure) => return Ok((Err(failure), busy)),
        };
        for query in collector.queries_in(lane, &self.config, schema) {
            let known = queues.clone();
            let context = Context { config: &self.config, schema, queues: &known };
            let fetched = division::fetch(session, query, &context).await?;
            busy += fetched.busy;
            let result = fetched.parts.and_then(|parts| {
                let parts: Result<Vec<QuerySamples>, Failure> =
                    parts.iter().map(|rows| collector.map_rows(query, rows, &mut queues)).collect();
                Ok(QuerySamples { query: query.sql.name, samples: QuerySamples::merged(&parts?) })
            });
            match result {
                Ok(result) => samples.push(result),
                Err(failure) => return Ok((Err(failure), busy)),
            }
        }
        Ok((Ok(()), busy))
    }

    /// Reads the queues in a transaction of its own.
    async fn read_queue_labels(
        &self,
        schema: &Schema,
        session: &mut Session,
    ) -> Result<(Result<QueueLabels, Failure>, Duration), Failure> {
        let mut run = session.begin().await?;
        let inventory = self.schema_cache.inventory();
        let queues = match schema.permit_policies(&mut run).await {
            Ok(()) => QueueLabels::read(&mut run, schema, &inventory, &self.config.queues).await,
            Err(failure) => Err(failure),
        };
        let busy = run.busy();
        session.finish(run, queues.as_ref().err()).await;
        Ok((queues, busy))
    }
}
