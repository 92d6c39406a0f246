//! Asks a query in as many transactions as its locks demand.
//!
//! With hundreds of partitions one statement over all of `job` locks thousands of relations, and the server's lock table
//! holds a few thousand in all. A query that would take more than its share runs for groups of queues, each
//! in a transaction of its own: a group's partitions are known when its statement is planned, so no other is locked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;

use crate::collect::collector::{Collector, Context, Division, Query, QuerySamples};
use crate::collect::pace::Pace;
use crate::postgres::{Failure, Plans, Reason, Run, Session};
use crate::schema::Schema;
use crate::schema::queue_partitions::QueuePartition;

/// The rows of a query, by transaction, and how long the database worked for them.
#[derive(Debug)]
pub struct Fetched {
    pub parts: Result<Vec<Vec<PgRow>>, Failure>,
    pub busy: Duration,
}

/// Runs a query in transactions of its own: in one, or one for each group of queues.
///
/// # Errors
/// [`Reason::Unavailable`] where no transaction could be opened; the query's own failures are in the result.
pub async fn fetch(
    session: &mut Session,
    query: &'static Query,
    context: &Context<'_>,
) -> Result<Fetched, Failure> {
    let mut transactions = Transactions::new(session, context.schema);
    let parts = if query.is_divided(context.schema) {
        by_queue(&mut transactions, query, context).await
    } else {
        transactions.run(async |run| Ok(vec![query.fetch(run, context).await?])).await
    };
    match parts {
        Err(Stop::Unreachable(failure)) => Err(failure),
        Err(Stop::Failed(failure)) => Ok(Fetched { parts: Err(failure), busy: transactions.busy }),
        Ok(parts) => Ok(Fetched { parts: Ok(parts), busy: transactions.busy }),
    }
}

/// Runs a collector's queries of one pace, each in transactions of its own, and adds their results to `samples` up to the
/// first failure. Returns also how long the database was busy.
pub(crate) async fn collect(
    session: &mut Session,
    collector: &'static Collector,
    pace: Pace,
    context: &Context<'_>,
    samples: &mut Vec<QuerySamples>,
) -> (Result<(), Stop>, Duration) {
    let mut busy = Duration::ZERO;
    let mut queues = context.queues.clone();
    for query in collector.queries_at(pace, context.config, context.schema) {
        let fetched = match fetch(session, query, context).await {
            Ok(fetched) => fetched,
            Err(failure) => return (Err(Stop::Unreachable(failure)), busy),
        };
        busy += fetched.busy;
        let mapped = fetched.parts.and_then(|parts| {
            parts
                .iter()
                .map(|rows| collector.map_rows(query, rows, &mut queues))
                .collect::<Result<Vec<_>, _>>()
        });
        match mapped {
            Ok(parts) => {
                let merged = QuerySamples::merged(&parts);
                samples.push(QuerySamples { query: query.sql.name, samples: merged });
            }
            Err(failure) => return (Err(Stop::Failed(failure)), busy),
        }
    }
    (Ok(()), busy)
}

/// Why no more rows come.
pub(crate) enum Stop {
    Unreachable(Failure),
    Failed(Failure),
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Unreachable(failure) | Stop::Failed(failure) => failure,
        }
    }
}

/// Opens one transaction after the other on a session.
pub(crate) struct Transactions<'a> {
    session: &'a mut Session,
    schema: &'a Schema,
    /// The time that the database spent on all of them.
    pub(crate) busy: Duration,
}

impl<'a> Transactions<'a> {
    pub(crate) fn new(session: &'a mut Session, schema: &'a Schema) -> Self {
        Transactions { session, schema, busy: Duration::ZERO }
    }

    pub(crate) async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Run) -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        let run = self.session.begin().await.map_err(Stop::Unreachable)?;
        self.finish(run, work).await
    }

    /// The same, with statements planned for the values of their parameters.
    pub(crate) async fn run_for_values<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Run) -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        let run = self.session.begin_planning_for_values().await.map_err(Stop::Unreachable)?;
        self.finish(run, work).await
    }

    /// Opens a transaction that plans its statements like this.
    pub(crate) async fn run_with<T>(
        &mut self,
        plans: Plans,
        work: impl AsyncFnOnce(&mut Run) -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        match plans {
            Plans::Custom => self.run_for_values(work).await,
            Plans::Generic | Plans::Auto => self.run(work).await,
        }
    }

    async fn finish<T>(
        &mut self,
        mut run: Run,
        work: impl AsyncFnOnce(&mut Run) -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        let outcome = match self.schema.permit_policies(&mut run).await {
            Ok(()) => work(&mut run).await,
            Err(failure) => Err(failure),
        };
        self.busy += run.busy();
        self.session.finish(run, outcome.as_ref().err()).await;
        outcome.map_err(Stop::Failed)
    }
}

/// Queues that one transaction looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) queues: Vec<String>,
    /// What planning a statement over their partitions locks.
    pub(crate) relations: u64,
}

/// Whether the states of jobs' parents are read, which can be in other queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parents {
    Read,
    Skip,
}

/// What one transaction answers and reads.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    /// The queues that it answers for.
    pub(crate) own: Vec<String>,
    /// The queues whose jobs it reads: those, and those of parents.
    pub(crate) read: Vec<String>,
}

async fn by_queue(
    transactions: &mut Transactions<'_>,
    query: &'static Query,
    context: &Context<'_>,
) -> Result<Vec<Vec<PgRow>>, Stop> {
    let parents = match query.division {
        Division::ByQueueWithParents => Parents::Read,
        Division::ByQueue => Parents::Skip,
        Division::Whole => return whole(transactions, query, context).await,
    };
    let mut known: BTreeSet<&str> = context.queues.known().iter().map(String::as_str).collect();
    let slices = slices(transactions, query, parents).await?;
    for queue in slices.iter().flat_map(|slice| &slice.own) {
        known.remove(queue.as_str());
    }
    let mut parts = Vec::new();
    for slice in &slices {
        parts.push(part(transactions, query, context, &slice.own, &slice.read).await?);
    }
    // Queues without a job get their zeros.
    if slices.is_empty() || !known.is_empty() {
        let idle: Vec<String> = known.into_iter().map(str::to_owned).collect();
        parts.push(part(transactions, query, context, &idle, &[]).await?);
    }
    Ok(parts)
}

/// Asks for all queues that have a job, in one transaction.
async fn whole(
    transactions: &mut Transactions<'_>,
    query: &'static Query,
    context: &Context<'_>,
) -> Result<Vec<Vec<PgRow>>, Stop> {
    let (partitions, room) = partitions(transactions, query).await?;
    let locks = partitions.iter().map(|partition| partition.relations).sum();
    if locks > room {
        return Err(Stop::Failed(out_of_room(query, context.schema, locks)));
    }
    let queues: Vec<String> = partitions.into_iter().flat_map(|partition| partition.queues).collect();
    Ok(vec![part(transactions, query, context, context.queues.known(), &queues).await?])
}

/// The partitions that may hold rows, and how many locks there are for them.
async fn partitions(
    transactions: &mut Transactions<'_>,
    query: &'static Query,
) -> Result<(Vec<QueuePartition>, u64), Stop> {
    let schema = transactions.schema;
    let tables = query.tables(schema);
    let Some(room) = schema.room_for_partitions(tables.iter().copied()) else {
        return Err(Stop::Failed(out_of_room(query, schema, schema.locks(tables))));
    };
    let partitions = transactions.run(async |run| QueuePartition::read_all(run, &schema.name).await).await?;
    Ok((partitions, room))
}

/// Divides the queues that have jobs between transactions, so that each keeps within its locks.
pub(crate) async fn slices(
    transactions: &mut Transactions<'_>,
    query: &'static Query,
    parents: Parents,
) -> Result<Vec<Slice>, Stop> {
    let (partitions, room) = partitions(transactions, query).await?;
    let relations = relations_by_queue(&partitions);
    let mut groups = groups(partitions, room);
    groups.reverse();
    let mut slices = Vec::new();
    while let Some(group) = groups.pop() {
        let beside = match parents {
            Parents::Read => foreign_parents(transactions, &group).await?,
            Parents::Skip => Vec::new(),
        };
        let locks: u64 = beside.iter().filter_map(|queue| relations.get(queue)).sum();
        if group.relations + locks <= room {
            let read = group.queues.iter().chain(&beside).cloned().collect();
            slices.push(Slice { own: group.queues, read });
        } else if group.queues.len() == 1 {
            return Err(Stop::Failed(out_of_room(query, transactions.schema, group.relations + locks)));
        } else {
            let single = |queue: String| Group { relations: relations[&queue], queues: vec![queue] };
            groups.extend(group.queues.into_iter().rev().map(single));
        }
    }
    Ok(slices)
}

/// The rows of `queues`, for which the jobs of the queues `read` are read.
async fn part(
    transactions: &mut Transactions<'_>,
    query: &'static Query,
    context: &Context<'_>,
    queues: &[String],
    read: &[String],
) -> Result<Vec<PgRow>, Stop> {
    let beside: Vec<String> = read.iter().filter(|name| !queues.contains(name)).cloned().collect();
    let of_part = context.queues.part(queues, &beside);
    let context = Context { queues: &of_part, ..*context };
    transactions.run_for_values(async |run| query.fetch_of_queues(run, &context, read).await).await
}

/// The queues beyond the group in which parents of its waiting jobs are.
async fn foreign_parents(transactions: &mut Transactions<'_>, group: &Group) -> Result<Vec<String>, Stop> {
    let statement = transactions.schema.name.statement(include_str!("division/foreign_parents.sql"));
    transactions
        .run_for_values(async |run| {
            let rows = run
                .fetch_all(
                    sqlx::query(statement).bind(&group.queues).bind(None::<Vec<Uuid>>).persistent(false),
                )
                .await?;
            Ok(rows.iter().map(|row| row.try_get("queue")).collect::<Result<_, sqlx::Error>>()?)
        })
        .await
}

/// Packs partitions, in their order, into groups that lock at most `room` relations. A larger one is alone.
pub(crate) fn groups(partitions: Vec<QueuePartition>, room: u64) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for partition in partitions {
        match groups.last_mut().filter(|group| group.relations + partition.relations <= room) {
            Some(group) => {
                group.queues.extend(partition.queues);
                group.relations += partition.relations;
            }
            None => groups.push(Group { queues: partition.queues, relations: partition.relations }),
        }
    }
    groups
}

/// Returns what planning over the partition of each queue locks.
pub(crate) fn relations_by_queue(partitions: &[QueuePartition]) -> BTreeMap<String, u64> {
    let by_queue = |partition: &QueuePartition| {
        let relations = partition.relations;
        partition.queues.clone().into_iter().map(move |queue| (queue, relations))
    };
    partitions.iter().flat_map(by_queue).collect()
}

fn out_of_room(query: &Query, schema: &Schema, locks: u64) -> Failure {
    let lack = schema.lack_of_locks(locks);
    Failure::new(Reason::LockLimit, format!("{}: {lack}", query.sql.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_packed_within_the_room() {
        let partition =
            |name: &str, relations| QueuePartition { queues: vec![name.to_owned()], relations, table: 0 };
        let partitions = ["a", "b", "c", "d", "e"]
            .iter()
            .zip([10, 10, 15, 40, 5])
            .map(|(name, size)| partition(name, size));
        let packed = groups(partitions.collect(), 30);
        let names: Vec<_> = packed.iter().map(|group| (group.queues.concat(), group.relations)).collect();
        assert_eq!(
            names,
            [("ab".to_owned(), 20), ("c".to_owned(), 15), ("d".to_owned(), 40), ("e".to_owned(), 5)]
        );
        assert!(groups(Vec::new(), 30).is_empty());
    }
}
