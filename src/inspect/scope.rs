//! Which queues a reading command looks at, where one transaction may not lock all partitions of `job`.
//!
//! A list is answered for groups of queues (`reader/groups.rs`). What looks at one queue, job or DAG is answered in one
//! transaction, for the queues that it needs.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::types::Uuid;
use sqlx::{Postgres, Row};

use crate::collect::division::groups;
use crate::postgres::{Failure, Reason, Session};
use crate::schema::queue_partitions::QueuePartition;
use crate::schema::{Need, Schema, TABLES};

/// What a command asks about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    AllJobs,
    Queue(&'a str),
    /// A queue's jobs, and the states of their parents.
    QueueWithParents(&'a str),
    Job(Uuid),
    Dag(Uuid),
}

const DEPENDENCIES: Need =
    Need::Columns("job_dependencies", &["job_name", "job_id", "depends_on_name", "depends_on_id"]);

/// Whether a transaction that reads all tables of this schema would take too many locks.
pub(super) fn is_limited(schema: &Schema) -> bool {
    schema.locks(TABLES) > schema.locks_allowed
}

/// Whose partitions are read.
#[derive(Debug)]
pub(super) enum Reach {
    /// Those of all queues, in one transaction.
    AllQueues,
    /// Those of these queues, in one transaction.
    Queues(Vec<String>),
    /// Those of all queues, in one transaction for each group.
    Groups,
}

/// Returns the queues whose partitions are to be read.
///
/// # Errors
/// Any failure of the database, and a command that would take more locks than one transaction may hold.
pub(super) async fn find(session: &mut Session, schema: &Schema, scope: Scope<'_>) -> Result<Reach, Failure> {
    if matches!(scope, Scope::AllJobs) {
        return Ok(Reach::Groups);
    }
    let Some(room) = schema.room_for_partitions(TABLES) else {
        return Err(refusal(schema, schema.locks(TABLES)));
    };
    if let Scope::Queue(queue) = scope {
        return Ok(Reach::Queues(vec![queue.to_owned()]));
    }
    let partitions = partitions(session, schema).await?;
    let relations: BTreeMap<&str, u64> = partitions
        .iter()
        .flat_map(|partition| partition.queues.iter().map(|queue| (queue.as_str(), partition.relations)))
        .collect();
    let has_dependencies = schema.lack(&DEPENDENCIES).is_none();
    let queues = match scope {
        Scope::Job(id) if has_dependencies => {
            let [own, beside] =
                [include_str!("scope/queues_of_job.sql"), include_str!("scope/neighbours_of_job.sql")];
            around(session, schema, &partitions, room, id, own, beside).await?
        }
        Scope::Dag(id) if has_dependencies => {
            let [own, beside] =
                [include_str!("scope/queues_of_dag.sql"), include_str!("scope/neighbours_of_dag.sql")];
            around(session, schema, &partitions, room, id, own, beside).await?
        }
        Scope::QueueWithParents(queue) if has_dependencies => {
            let statement = schema.name.statement(include_str!("scope/parents_of_queue.sql"));
            let mut queues = fetch_names(session, schema, sqlx::query(statement).bind(queue)).await?;
            queues.push(queue.to_owned());
            BTreeSet::from_iter(queues)
        }
        _ => relations.keys().map(|queue| (*queue).to_owned()).collect(),
    };
    let queues: Vec<String> =
        queues.into_iter().filter(|queue| relations.contains_key(queue.as_str())).collect();
    let locks: u64 = queues.iter().map(|queue| relations[queue.as_str()]).sum();
    if locks > room { Err(refusal(schema, locks)) } else { Ok(Reach::Queues(queues)) }
}

/// The queues that hold jobs of an id, and those of these jobs' neighbours.
async fn around(
    session: &mut Session,
    schema: &Schema,
    partitions: &[QueuePartition],
    room: u64,
    id: Uuid,
    own: &'static str,
    beside: &'static str,
) -> Result<BTreeSet<String>, Failure> {
    let mut queues = BTreeSet::new();
    for group in groups(partitions.to_vec(), room) {
        queues.extend(names(session, schema, own, id, &group.queues).await?);
    }
    let found: Vec<String> = queues.iter().cloned().collect();
    queues.extend(names(session, schema, beside, id, &found).await?);
    Ok(queues)
}

async fn names(
    session: &mut Session,
    schema: &Schema,
    sql: &'static str,
    id: Uuid,
    queues: &[String],
) -> Result<Vec<String>, Failure> {
    if queues.is_empty() {
        return Ok(Vec::new());
    }
    fetch_names(session, schema, sqlx::query(schema.name.statement(sql)).bind(id).bind(queues)).await
}

async fn fetch_names(
    session: &mut Session,
    schema: &Schema,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<Vec<String>, Failure> {
    let mut run = session.begin_planning_for_values().await?;
    let rows = match schema.permit_policies(&mut run).await {
        Ok(()) => run.fetch_all(query).await,
        Err(failure) => Err(failure),
    };
    session.finish(run, rows.as_ref().err()).await;
    Ok(rows?.iter().map(|row| row.try_get("queue")).collect::<Result<_, sqlx::Error>>()?)
}

async fn partitions(session: &mut Session, schema: &Schema) -> Result<Vec<QueuePartition>, Failure> {
    let mut run = session.begin().await?;
    let partitions = QueuePartition::read_all(&mut run, &schema.name).await;
    session.finish(run, partitions.as_ref().err()).await;
    partitions
}

fn refusal(schema: &Schema, locks: u64) -> Failure {
    let lack = schema.lack_of_locks(locks);
    Failure::new(
        Reason::LockLimit,
        format!("this {lack}; name a queue with --queue where the command takes it"),
    )
}
