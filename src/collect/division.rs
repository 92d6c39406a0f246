//! Divides a query over `job` between several transactions, so that none takes too many locks.
//!
//! With hundreds of partitions one statement over all of `job` locks thousands of relations, and the server's lock table
//! has room for a few thousand. A query that would exceed the lock budget therefore runs for groups of queues, each in a
//! transaction of its own. Because the statement of a group is planned for its queues, no other partition is locked.

mod collector;
mod transactions;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;

pub(crate) use self::collector::collect;
pub(crate) use self::transactions::{Stop, Transactions};
use crate::collect::collector::{Context, Division, Query};
use crate::postgres::{Failure, Reason, Session};
use crate::schema::Schema;
use crate::schema::queue_partitions::QueuePartition;

/// The rows of a query, by transaction, and how long the database was busy with them.
#[derive(Debug)]
pub struct Fetched {
    pub parts: Result<Vec<Vec<PgRow>>, Failure>,
    pub busy: Duration,
}

/// Runs a query in transactions of its own: in one, or one for each group of queues.
///
/// # Errors
/// [`Reason::Unavailable`] if no transaction could be opened. The result has the query's own failures.
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

/// Queues that one transaction reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) queues: Vec<String>,
    /// Number of relations that planning a statement over their partitions locks.
    pub(crate) relations: u64,
}

/// Whether the parents of jobs are read, which can be in other queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parents {
    Read,
    Skip,
}

/// The queues of one transaction.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    /// Queues of which it returns rows.
    pub(crate) own: Vec<String>,
    /// Queues of which it reads jobs: the same, and those of parents.
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
    // Queues without a job have zeros.
    if slices.is_empty() || !known.is_empty() {
        let idle: Vec<String> = known.into_iter().map(str::to_owned).collect();
        parts.push(part(transactions, query, context, &idle, &[]).await?);
    }
    Ok(parts)
}

/// Runs the query over all queues that have a job, in one transaction.
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

/// Returns the partitions that may hold rows, and how many locks they may take together.
async fn partitions(
    transactions: &mut Transactions<'_>,
    query: &'static Query,
) -> Result<(Vec<QueuePartition>, u64), Stop> {
    let schema = transactions.schema();
    let tables = query.tables(schema);
    let Some(room) = schema.room_for_partitions(tables.iter().copied()) else {
        return Err(Stop::Failed(out_of_room(query, schema, schema.locks(tables))));
    };
    let partitions = transactions.run(async |run| QueuePartition::read_all(run, &schema.name).await).await?;
    Ok((partitions, room))
}

/// Divides the queues that have jobs between transactions, so that each stays within the lock budget.
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
            return Err(Stop::Failed(out_of_room(query, transactions.schema(), group.relations + locks)));
        } else {
            let single = |queue: String| Group { relations: relations[&queue], queues: vec![queue] };
            groups.extend(group.queues.into_iter().rev().map(single));
        }
    }
    Ok(slices)
}

/// Returns the rows of `queues`; the statement reads the jobs of the queues `read`.
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

/// Returns the queues outside of the group that have parents of its waiting jobs.
async fn foreign_parents(transactions: &mut Transactions<'_>, group: &Group) -> Result<Vec<String>, Stop> {
    let statement = transactions.schema().name.statement(include_str!("division/foreign_parents.sql"));
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

/// Packs partitions, in their order, into groups that lock at most `room` relations. A larger partition has its own group.
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
