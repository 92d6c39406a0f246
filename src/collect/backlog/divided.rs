//! The pass where one transaction must not lock all partitions: groups of queues, one after the other.
//!
//! A group with few unfinished jobs is read by one statement, together with the queues in which their parents are. The jobs
//! of a larger one are read in the order of their ids. The jobs of a DAG can be in several groups, so they can be of
//! different instants.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;

use super::reads::{Reads, Scope, Strays};
use super::stalled::StalledDags;
use super::statements::{OVER_ALL, Zeros, can_read_by_dag, has_dependencies};
use super::{Sizes, behind};
use crate::collect::collector::Context;
use crate::collect::division::{Group, groups, relations_by_queue};
use crate::postgres::{Failure, Reason};
use crate::schema::queue_partitions::QueuePartition;

pub(super) struct Divided {
    /// How many locks there are for partitions.
    room: u64,
    /// What planning over the partition of a queue locks.
    relations: BTreeMap<String, u64>,
    /// The groups that have not been read, the next one last.
    groups: Vec<Group>,
    /// The first job of the next slice, if the next group is read by ids.
    from: Option<Uuid>,
    /// `None` if stalled DAGs are not counted.
    stalled: Option<Stalled>,
}

struct Stalled {
    dags: StalledDags,
    /// The groups in which the jobs of stalled DAGs have not been read, the next one last.
    groups: Vec<Group>,
}

impl Divided {
    /// Reads which queues have jobs, and divides them into groups.
    pub(super) async fn begin(reads: &mut Reads<'_, '_>) -> Result<Self, Failure> {
        let schema = reads.context.schema;
        let tables = OVER_ALL.query(schema).tables(schema);
        let Some(room) = schema.room_for_partitions(tables.iter().copied()) else {
            return Err(out_of_room(reads.context, schema.locks(tables)));
        };
        let partitions = QueuePartition::read_all(reads.run, &schema.name).await?;
        let relations = relations_by_queue(&partitions);
        let mut groups = groups(partitions, room);
        groups.reverse();
        let stalled = if can_read_by_dag(schema) { StalledDags::begin(reads).await? } else { None };
        let stalled = stalled.map(|dags| Stalled { dags, groups: groups.clone() });
        Ok(Divided { room, relations, groups, from: None, stalled })
    }

    /// Reads the next slice. Returns `None` if there is none.
    pub(super) async fn read(
        &mut self,
        reads: &mut Reads<'_, '_>,
        sizes: &mut Sizes,
    ) -> Result<Option<Vec<PgRow>>, Failure> {
        if let Some(group) = self.groups.last().cloned() {
            return self.read_group(reads, &group, sizes).await.map(Some);
        }
        let Some(Stalled { dags, groups }) = &mut self.stalled else { return Ok(None) };
        if let Some(group) = groups.last().cloned() {
            dags.read_jobs(&mut of_queues(reads, reads.context, &group.queues)).await?;
            groups.pop();
            return Ok(Some(Vec::new()));
        }
        let rows = dags.rows(reads).await?;
        self.stalled = None;
        Ok(Some(rows))
    }

    async fn read_group(
        &mut self,
        reads: &mut Reads<'_, '_>,
        group: &Group,
        sizes: &mut Sizes,
    ) -> Result<Vec<PgRow>, Failure> {
        let started = reads.run.busy();
        let context = reads.context;
        let mut own = of_queues(reads, context, &group.queues);
        if self.from.is_none() {
            let most = sizes.most_in_one();
            if own.sizes(most).await?.0 <= most {
                return self.read_scope(reads, group, Scope::Jobs, None).await;
            }
            if group.queues.len() > 1 {
                self.split(group);
                return Ok(Vec::new());
            }
        }
        let from = self.from.unwrap_or_default();
        let next = own.next_jobs(from, sizes.ids.get(), Strays::AndOthers).await?;
        let Some((last, ids)) = next else {
            self.groups.pop();
            self.from = None;
            return Ok(Vec::new());
        };
        let scope = Scope::Ids(&ids, Strays::AndOthers);
        let rows = self.read_scope(reads, group, scope, behind(last)).await?;
        sizes.ids.adapt(reads.run.busy().saturating_sub(started));
        Ok(rows)
    }

    /// Reads the jobs of a scope. Afterwards the group is continued at `next`, or finished.
    async fn read_scope(
        &mut self,
        reads: &mut Reads<'_, '_>,
        group: &Group,
        scope: Scope<'_>,
        next: Option<Uuid>,
    ) -> Result<Vec<PgRow>, Failure> {
        let own = &group.queues;
        let beside = foreign_parents(reads, own, scope).await?;
        let locks: u64 = beside.iter().filter_map(|queue| self.relations.get(queue)).sum();
        if group.relations + locks > self.room {
            if own.len() == 1 {
                return Err(out_of_room(reads.context, group.relations + locks));
            }
            self.split(group);
            return Ok(Vec::new());
        }
        let read: Vec<String> = own.iter().chain(&beside).cloned().collect();
        let labels = reads.context.queues.part(own, &beside);
        let context = Context { queues: &labels, ..*reads.context };
        let mut reads = of_queues(reads, &context, &read);
        let rows = reads.jobs(scope, Zeros::NONE).await?;
        if let Some(stalled) = &mut self.stalled {
            stalled.dags.remove(&reads.moving_dags(own, scope).await?);
        }
        self.from = next;
        if next.is_none() {
            self.groups.pop();
        }
        Ok(rows)
    }

    /// Replaces the next group by groups of one queue.
    fn split(&mut self, group: &Group) {
        self.groups.pop();
        let single = |queue: &String| Group { relations: self.relations[queue], queues: vec![queue.clone()] };
        self.groups.extend(group.queues.iter().rev().map(single));
    }
}

/// Returns the reads over some queues only.
fn of_queues<'a, 'c>(
    reads: &'a mut Reads<'_, '_>,
    context: &'a Context<'c>,
    queues: &'a [String],
) -> Reads<'a, 'c> {
    Reads { run: reads.run, context, queues: Some(queues) }
}

/// Returns the queues beyond the group in which parents of its waiting jobs are.
async fn foreign_parents(
    reads: &mut Reads<'_, '_>,
    own: &[String],
    scope: Scope<'_>,
) -> Result<Vec<String>, Failure> {
    if !has_dependencies(reads.context.schema) {
        return Ok(Vec::new());
    }
    let statement = reads.context.schema.name.statement(include_str!("../division/foreign_parents.sql"));
    let ids = if let Scope::Ids(ids, _) = scope { Some(ids) } else { None };
    let statement = sqlx::query(statement).bind(own).bind(ids).persistent(false);
    let rows = reads.run.fetch_all(statement).await?;
    Ok(rows.iter().map(|row| row.try_get("queue")).collect::<Result<_, sqlx::Error>>()?)
}

fn out_of_room(context: &Context<'_>, locks: u64) -> Failure {
    Failure::new(Reason::LockLimit, format!("backlog.sql: {}", context.schema.lack_of_locks(locks)))
}
