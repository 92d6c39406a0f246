//! What happens to the units of a batch, in one transaction: they are locked, judged once more, and their jobs moved into
//! the archive or deleted, their DAGs after them. A unit that has changed since the plan, or that somebody is at work
//! with, stays where it is.

use std::collections::BTreeSet;

use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Row};

use super::plan::{Criteria, Plan, Unit};
use super::writer::Writer;
use crate::database::{Failure, Reason};
use crate::schema::{Need, Schema};

/// Where jobs go, and what becomes of their DAGs.
#[derive(Debug, Clone)]
pub(super) enum Disposal {
    /// `columns` are those that both tables have, quoted; `replace` what is there already.
    Archive {
        columns: String,
        replace: bool,
        dags: Dags,
    },
    Delete {
        dags: Dags,
    },
}

/// What becomes of a DAG's own row once its jobs are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dags {
    Stay,
    Go,
    /// Only where these columns, quoted, are NULL: the history has no place for them.
    GoUnless(Vec<String>),
}

/// What a batch has done.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// What has gone.
    pub(super) plan: Plan,
    /// Rows of the table dag that have gone.
    pub(super) dags: u64,
    /// What stayed although the plan had it: somebody is at work with it, or it has changed.
    pub(super) busy: Vec<Unit>,
}

impl Disposal {
    /// Takes the units of a batch and commits.
    ///
    /// # Errors
    /// Any failure of the database; nothing of the batch has been done then, unless the commit's answer was lost.
    pub(super) async fn take(
        &self,
        writer: &mut Writer,
        criteria: &Criteria,
        batch: &[Unit],
    ) -> Result<Taken, Failure> {
        writer.begin_writing().await?;
        match self.take_in_transaction(writer, criteria, batch).await {
            Ok(taken) => writer.commit().await.map(|()| taken),
            Err(failure) => {
                // It would end by itself as well; what went wrong is the news.
                let _ = writer.roll_back().await;
                Err(failure)
            }
        }
    }

    async fn take_in_transaction(
        &self,
        writer: &mut Writer,
        criteria: &Criteria,
        batch: &[Unit],
    ) -> Result<Taken, Failure> {
        let (dags, singles): (Vec<&Unit>, Vec<&Unit>) = batch.iter().partition(|unit| unit.is_dag);
        let ids = |units: Vec<&Unit>| units.into_iter().map(|unit| unit.id).collect::<Vec<Uuid>>();
        let (dags, singles) = (ids(dags), ids(singles));
        let dags = if has_dags(&writer.schema) { lock_dags(writer, &dags).await? } else { dags };
        let jobs = lock_jobs(writer, &dags, &singles).await?;
        let busy: BTreeSet<Uuid> =
            jobs.iter().filter(|job| !job.is_held).map(|job| job.unit(criteria.per_job)).collect();
        let free = |ids: Vec<Uuid>| ids.into_iter().filter(|id| !busy.contains(id)).collect::<Vec<Uuid>>();
        let (dags, singles) = (free(dags), free(singles));

        let mut plan = Plan::of_batch(writer, criteria, &dags, &singles).await?;
        let going: BTreeSet<Uuid> = plan.units.iter().map(|unit| unit.id).collect();
        let busy = batch.iter().filter(|unit| !going.contains(&unit.id)).copied().collect();
        plan.kept.clear();

        let jobs: Vec<&Job> = jobs.iter().filter(|job| going.contains(&job.unit(criteria.per_job))).collect();
        let moved = self.move_jobs(writer, &jobs).await?;
        if moved != plan.jobs() {
            let message =
                format!("{moved} jobs would have gone instead of {}; this batch is left alone", plan.jobs());
            return Err(Failure::new(Reason::Other, message));
        }
        let dags = dags.into_iter().filter(|dag| going.contains(dag)).collect();
        let dags = self.delete_dags(writer, dags).await?;
        Ok(Taken { plan, dags, busy })
    }

    async fn move_jobs(&self, writer: &mut Writer, jobs: &[&Job]) -> Result<u64, Failure> {
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
        let statement = match self {
            Disposal::Delete { .. } => include_str!("delete_jobs.sql").to_owned(),
            Disposal::Archive { columns, replace, .. } => {
                if *replace {
                    let queues: Vec<Option<&str>> = jobs.iter().map(|job| job.queue.as_deref()).collect();
                    let delete = sqlx::query(include_str!("delete_archived.sql")).bind(&ids).bind(queues);
                    delete.execute(writer.connection()).await?;
                }
                include_str!("archive_jobs.sql").replace("shared_columns", columns)
            }
        };
        let done = sqlx::query(AssertSqlSafe(statement)).bind(ids).execute(writer.connection()).await?;
        Ok(done.rows_affected())
    }

    async fn delete_dags(&self, writer: &mut Writer, dags: Vec<Uuid>) -> Result<u64, Failure> {
        let (Disposal::Archive { dags: fate, .. } | Disposal::Delete { dags: fate }) = self;
        let lost: &[String] = match fate {
            Dags::Stay => return Ok(0),
            Dags::Go => &[],
            Dags::GoUnless(columns) => columns,
        };
        let conditions: Vec<String> = lost.iter().map(|column| format!("d.{column} is null")).collect();
        let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" and ") };
        let statement = include_str!("delete_dags.sql").replace("nothing_is_lost", &condition);
        let done = sqlx::query(AssertSqlSafe(statement)).bind(dags).execute(writer.connection()).await?;
        Ok(done.rows_affected())
    }
}

struct Job {
    id: Uuid,
    queue: Option<String>,
    dag: Option<Uuid>,
    is_held: bool,
}

impl Job {
    fn unit(&self, per_job: bool) -> Uuid {
        self.dag.filter(|_| !per_job).unwrap_or(self.id)
    }
}

pub(super) fn has_dags(schema: &Schema) -> bool {
    !schema.is_missing(&Need::Table("dag"))
}

async fn lock_dags(writer: &mut Writer, dags: &[Uuid]) -> Result<Vec<Uuid>, Failure> {
    let rows = sqlx::query(include_str!("lock_dags.sql")).bind(dags).fetch_all(writer.connection()).await?;
    Ok(rows.iter().map(|row| row.try_get("id")).collect::<Result<_, sqlx::Error>>()?)
}

async fn lock_jobs(writer: &mut Writer, dags: &[Uuid], singles: &[Uuid]) -> Result<Vec<Job>, Failure> {
    let rows = sqlx::query(include_str!("lock_jobs.sql"))
        .bind(dags)
        .bind(singles)
        .fetch_all(writer.connection())
        .await?;
    let job = |row: &sqlx::postgres::PgRow| {
        Ok(Job {
            id: row.try_get("id")?,
            queue: row.try_get("queue")?,
            dag: row.try_get("dag_id")?,
            is_held: row.try_get("is_held")?,
        })
    };
    Ok(rows.iter().map(job).collect::<Result<_, sqlx::Error>>()?)
}
