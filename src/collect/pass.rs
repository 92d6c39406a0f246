//! A pass: one look at all unfinished or at all finished jobs, in slices.
//!
//! Each slice is one statement in a transaction of its own, so no snapshot is kept from slice to slice. Its rows are mapped
//! to samples as those of any query and merged with those of the slices before. Several collectors are fed by one pass:
//! by their queries that name it ([`Query::pass`]). `backlog` and `history` know how their jobs are divided.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::postgres::PgRow;

use crate::collect::backlog::Backlog;
use crate::collect::collector::{Collector, Context, Query, QuerySamples};
use crate::collect::collectors::COLLECTORS;
use crate::collect::history::{self, History};
use crate::collect::pace::PassKind;
use crate::collect::queue_labels::QueueLabels;
use crate::collect::slice::SliceSize;
use crate::config::Config;
use crate::postgres::{Failure, Plans, Run};
use crate::schema::Schema;

impl PassKind {
    /// Returns the statements that the pass may run, for the rights that they need.
    pub fn statements(self) -> &'static [&'static Query] {
        match self {
            PassKind::Backlog => &[],
            PassKind::History => &history::STATEMENTS,
        }
    }

    /// Returns the size of the first slice.
    pub fn first_slice(self) -> SliceSize {
        match self {
            PassKind::Backlog => Backlog::FIRST_SLICE,
            PassKind::History => History::FIRST_SLICE,
        }
    }
}

/// A pass under way.
///
/// The schema and the queue labels are those of its beginning, so that all slices are published alike.
pub struct Pass {
    kind: PassKind,
    schema: Arc<Schema>,
    queues: QueueLabels,
    state: State,
    samples: BTreeMap<&'static str, QuerySamples>,
}

enum State {
    Backlog(Backlog),
    History(History),
}

impl Pass {
    /// Begins a pass; `size` is that of its first slice.
    pub fn begin(kind: PassKind, schema: Arc<Schema>, queues: QueueLabels, size: SliceSize) -> Self {
        let state = match kind {
            PassKind::Backlog => State::Backlog(Backlog::begin(size)),
            PassKind::History => State::History(History::begin(size)),
        };
        Pass { kind, schema, queues, state, samples: BTreeMap::new() }
    }

    pub fn kind(&self) -> PassKind {
        self.kind
    }

    /// Returns how the transaction of the next slice must plan its statements.
    pub fn plans(&self) -> Plans {
        match &self.state {
            State::Backlog(_) => Backlog::plans(&self.schema),
            State::History(_) => History::plans(&self.schema),
        }
    }

    /// Reads the next slice in the transaction of `run`. Returns whether the pass is complete.
    ///
    /// After a failure the same slice can be read again; after a time-out it is smaller.
    pub async fn step(&mut self, run: &mut Run, config: &Config) -> Result<bool, Failure> {
        let queues = self.queues.clone();
        let context = Context { config, schema: &self.schema, queues: &queues };
        let slice = match &mut self.state {
            State::Backlog(backlog) => backlog.step(run, &context).await?,
            State::History(history) => history.step(run, &context).await?,
        };
        if matches!(&self.state, State::History(history) if history.has_begun_again()) {
            self.samples.clear();
        }
        self.add(&slice.rows, config)?;
        Ok(slice.is_last)
    }

    /// Returns the size that the next slice would have.
    pub fn slice_size(&self) -> SliceSize {
        match &self.state {
            State::Backlog(backlog) => backlog.slice_size(),
            State::History(history) => history.slice_size(),
        }
    }

    /// Returns the samples of each collector that the pass feeds.
    pub fn into_samples(self) -> impl Iterator<Item = (&'static Collector, QuerySamples)> {
        let Pass { mut samples, .. } = self;
        COLLECTORS.iter().filter_map(move |&collector| Some((collector, samples.remove(collector.name)?)))
    }

    /// Maps the rows to the samples of all collectors, and merges them with those of the slices before.
    fn add(&mut self, rows: &[PgRow], config: &Config) -> Result<(), Failure> {
        for (collector, query) in fed_queries(self.kind, config, &self.schema) {
            let more = collector.map_rows(query, rows, &mut self.queues)?;
            match self.samples.get_mut(collector.name) {
                Some(before) => {
                    for (total, more) in before.samples.iter_mut().zip(more.samples) {
                        total.absorb(more);
                    }
                }
                None => {
                    self.samples.insert(collector.name, more);
                }
            }
        }
        Ok(())
    }
}

/// Returns every statement for samples: those of the collectors' queries without a pass, and those of the passes.
pub fn statements() -> impl Iterator<Item = &'static Query> {
    let queries = COLLECTORS.iter().flat_map(|collector| collector.queries);
    let of_passes = PassKind::ALL.into_iter().flat_map(PassKind::statements).copied();
    queries.filter(|query| query.pass.is_none()).chain(of_passes)
}

/// Returns the queries that a pass feeds on this database, with their collectors.
pub fn fed_queries<'a>(
    kind: PassKind,
    config: &'a Config,
    schema: &'a Schema,
) -> impl Iterator<Item = (&'static Collector, &'static Query)> + 'a {
    let enabled = COLLECTORS.iter().filter(|collector| config.collectors.is_enabled(collector.name));
    enabled.flat_map(move |&collector| {
        let queries = collector.wanted_queries(config);
        queries
            .filter(move |query| query.pass == Some(kind) && query.lack(schema).is_none())
            .map(move |query| (collector, query))
    })
}
