//! Which partitions of `job` a reading command reads, if one transaction must not lock all of them.
//!
//! A list of all jobs is read in groups of queues (`reader/groups.rs`). A command about one queue, job or DAG reads the
//! queues that it needs in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::types::Uuid;
use sqlx::{Postgres, Row};

use crate::collect::division::groups;
use crate::postgres::{Failure, Reason, Session};
use crate::schema::queue_partitions::QueuePartition;
use crate::schema::{Need, Schema, TABLES};

/// Which jobs a command is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    AllJobs,
    Queue(&'a str),
    /// The jobs of a queue and the states of their parents.
    QueueWithParents(&'a str),
    Job(Uuid),
    Dag(Uuid),
}

const DEPENDENCIES: Need =
    Need::Columns("job_dependencies", &["job_name", "job_id", "depends_on_name", "depends_on_id"]);

/// Whether a transaction that reads all tables of the schema would take too many locks.
pub(super) fn is_limited(schema: &Schema) -> bool {
    schema.locks(TABLES) > schema.locks_allowed
}

/// The partitions that a command reads.
#[derive(Debug)]
pub(super) enum Partitions {
    /// All, in one transaction.
    All,
    /// Those of some queues, in one transaction.
    OfQueues(Vec<String>),
    /// All, in one transaction for each group of queues.
    InGroups,
}

/// Finds the partitions that a command has to read.
///
/// # Errors
/// If the command would take more locks than one transaction may hold, or the database fails.
pub(super) async fn find(
    session: &mut Session,
    schema: &Schema,
    scope: Scope<'_>,
) -> Result<Partitions, Failure> {
    if matches!(scope, Scope::AllJobs) {
        return Ok(Partitions::InGroups);
    }
    let Some(room) = schema.room_for_partitions(TABLES) else {
        return Err(too_many_locks(schema, schema.locks(TABLES)));
    };
    if let Scope::Queue(queue) = scope {
        return Ok(Partitions::OfQueues(vec![queue.to_owned()]));
    }
    let partitions = queue_partitions(session, schema).await?;
    let relations: BTreeMap<&str, u64> = partitions
        .iter()
        .flat_map(|partition| partition.queues.iter().map(|queue| (queue.as_str(), partition.relations)))
        .collect();
    let has_dependencies = schema.lack(&DEPENDENCIES).is_none();
    let queues = match scope {
        Scope::Job(id) if has_dependencies => {
            let [own, neighbours] =
                [include_str!("scope/queues_of_job.sql"), include_str!("scope/neighbours_of_job.sql")];
            queues_around(session, schema, &partitions, room, id, own, neighbours).await?
        }
        Scope::Dag(id) if has_dependencies => {
            let [own, neighbours] =
                [include_str!("scope/queues_of_dag.sql"), include_str!("scope/neighbours_of_dag.sql")];
            queues_around(session, schema, &partitions, room, id, own, neighbours).await?
        }
        Scope::QueueWithParents(queue) if has_dependencies => {
            let statement = schema.name.statement(include_str!("scope/parents_of_queue.sql"));
            let mut queues = fetch_queues(session, schema, sqlx::query(statement).bind(queue)).await?;
            queues.push(queue.to_owned());
            BTreeSet::from_iter(queues)
        }
        _ => relations.keys().map(|queue| (*queue).to_owned()).collect(),
    };
    let queues: Vec<String> =
        queues.into_iter().filter(|queue| relations.contains_key(queue.as_str())).collect();
    let locks: u64 = queues.iter().map(|queue| relations[queue.as_str()]).sum();
    if locks > room { Err(too_many_locks(schema, locks)) } else { Ok(Partitions::OfQueues(queues)) }
}

/// Returns the queues of a job or of a DAG's jobs, and the queues of their parents and children.
///
/// `own` and `neighbours` are the statements for these. The first runs for one group of queues after another.
async fn queues_around(
    session: &mut Session,
    schema: &Schema,
    partitions: &[QueuePartition],
    room: u64,
    id: Uuid,
    own: &'static str,
    neighbours: &'static str,
) -> Result<BTreeSet<String>, Failure> {
    let mut queues = BTreeSet::new();
    for group in groups(partitions.to_vec(), room) {
        queues.extend(fetch_queues_of(session, schema, own, id, &group.queues).await?);
    }
    let found: Vec<String> = queues.iter().cloned().collect();
    queues.extend(fetch_queues_of(session, schema, neighbours, id, &found).await?);
    Ok(queues)
}

async fn fetch_queues_of(
    session: &mut Session,
    schema: &Schema,
    sql: &'static str,
    id: Uuid,
    queues: &[String],
) -> Result<Vec<String>, Failure> {
    if queues.is_empty() {
        return Ok(Vec::new());
    }
    fetch_queues(session, schema, sqlx::query(schema.name.statement(sql)).bind(id).bind(queues)).await
}

async fn fetch_queues(
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

async fn queue_partitions(session: &mut Session, schema: &Schema) -> Result<Vec<QueuePartition>, Failure> {
    let mut run = session.begin().await?;
    let partitions = QueuePartition::read_all(&mut run, &schema.name).await;
    session.finish(run, partitions.as_ref().err()).await;
    partitions
}

fn too_many_locks(schema: &Schema, locks: u64) -> Failure {
    let lack = schema.lack_of_locks(locks);
    Failure::new(
        Reason::LockLimit,
        format!("this {lack}; name a queue with --queue where the command takes it"),
    )
}
