//! Runs the queries of collectors, and the passes that feed them, and measures how long they take.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{CollectorReport, Outcome, QueryReport};
use crate::collect::collector::{Collector, Context, Query};
use crate::collect::division::{self, Transactions};
use crate::collect::pace::PassKind;
use crate::collect::pass::Pass;
use crate::collect::queue_labels::{QueueInventory, QueueLabels};
use crate::config::Config;
use crate::postgres::{Failure, Reason, Run, Session};
use crate::schema::{Lack, Schema};

pub(super) struct Examiner<'a> {
    config: &'a Config,
    session: &'a mut Session,
    schema: &'a Schema,
    /// Outcomes of the passes, because each runs once.
    passes: BTreeMap<PassKind, Outcome>,
}

impl<'a> Examiner<'a> {
    pub(super) fn new(config: &'a Config, session: &'a mut Session, schema: &'a Schema) -> Self {
        Examiner { config, session, schema, passes: BTreeMap::new() }
    }

    /// Runs each query of a collector in a separate transaction, so that one failure does not hide others.
    ///
    /// # Errors
    /// Only if the connection fails, because then no other query can run either.
    pub(super) async fn examine(&mut self, collector: &Collector) -> Result<CollectorReport, Failure> {
        let enabled = self.config.collectors.is_enabled(collector.name);
        let mut queries = Vec::new();
        for query in collector.queries {
            let outcome = self.outcome(query).await?;
            let indexed = query.index.map(|index| self.schema.has_index(&index));
            queries.push(QueryReport { file: query.sql.name, outcome, indexed });
        }
        Ok(CollectorReport { name: collector.name, enabled, queries })
    }

    async fn outcome(&mut self, query: &'static Query) -> Result<Outcome, Failure> {
        if !(query.wanted)(self.config) {
            return Ok(Outcome::NotWanted);
        }
        match query.lack(self.schema) {
            Some(Lack::Missing(lacks)) => return Ok(Outcome::NotHere { lacks }),
            Some(Lack::Permission(lacks)) => return Ok(Outcome::Forbidden { lacks }),
            Some(Lack::Filtered(filter)) => {
                let lacks = format!("all of table {} ({filter})", filter.relation);
                return Ok(Outcome::Forbidden { lacks });
            }
            Some(Lack::Locks(lacks)) => return Ok(Outcome::TooManyLocks { lacks }),
            None => {}
        }
        if let Some(outcome) = query.pass.and_then(|kind| self.passes.get(&kind)) {
            return Ok(outcome.clone());
        }
        let pace = query.pace.label();
        let outcome = match self.time(query).await {
            Ok(took) => Outcome::Ran { pace, seconds: took.as_secs_f64() },
            Err(failure) if failure.reason == Reason::Unavailable => return Err(failure),
            Err(Failure { reason, message: error }) => {
                Outcome::Failed { pace, reason: reason.label(), error }
            }
        };
        if let Some(kind) = query.pass {
            self.passes.insert(kind, outcome.clone());
        }
        Ok(outcome)
    }

    /// Returns how long the query or its pass takes.
    async fn time(&mut self, query: &'static Query) -> Result<Duration, Failure> {
        let mut run = self.session.begin().await?;
        let queues = self.known_queues(&mut run).await;
        self.session.finish(run, queues.as_ref().err()).await;
        let queues = queues?;
        let started = Instant::now();
        if let Some(kind) = query.pass {
            self.run_pass(kind, queues).await?;
        } else {
            let context = Context { config: self.config, schema: self.schema, queues: &queues };
            division::fetch(self.session, query, &context).await?.parts?;
        }
        Ok(started.elapsed())
    }

    /// Runs a pass to its end.
    async fn run_pass(&mut self, kind: PassKind, queues: QueueLabels) -> Result<(), Failure> {
        let mut pass = Pass::begin(kind, Arc::new(self.schema.clone()), queues, kind.first_slice());
        let mut transactions = Transactions::new(self.session, self.schema);
        loop {
            let plans = pass.plans();
            if transactions.run_with(plans, async |run| pass.step(run, self.config).await).await? {
                return Ok(());
            }
        }
    }

    async fn known_queues(&self, run: &mut Run) -> Result<QueueLabels, Failure> {
        self.schema.permit_policies(run).await?;
        QueueLabels::read(run, self.schema, &QueueInventory::default(), &self.config.queues).await
    }
}
