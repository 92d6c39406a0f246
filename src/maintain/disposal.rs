//! What happens to the units of a batch, in one transaction: they are locked, judged once more, and their jobs moved into
//! the archive or deleted, their DAGs after them. A unit that has changed since the plan, or that another session
//! has locked, stays where it is.

use std::collections::BTreeSet;

use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Row};
use tracing::warn;

use super::estimate::ForeignKeys;
use super::plan::{Criteria, Plan, Unit};
use super::references::References;
use super::writer::Writer;
use crate::postgres::{Failure, Reason};
use crate::schema::{Need, Schema};

/// Where jobs go, and what becomes of their DAGs.
#[derive(Debug, Clone)]
pub(super) enum Disposal {
    /// `columns` are those that both tables have, quoted, `moved_columns` the same of job; `replace` what is there
    /// already.
    Archive {
        columns: String,
        moved_columns: String,
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
    /// Where the scheduler's trigger keeps them in `dag_history`, and these columns, quoted, are NULL, for which the
    /// history has no place.
    GoIfRecorded(Vec<String>),
}

/// What a batch has done.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// What has gone.
    pub(super) plan: Plan,
    /// Rows of the table dag that have gone.
    pub(super) dags: u64,
    /// What was skipped: locked by another session or changed since the plan.
    pub(super) busy: Vec<Unit>,
}

impl Disposal {
    /// The rights on tables that it takes.
    pub(super) fn rights(&self) -> Vec<(&'static str, &'static str)> {
        let of =
            |table, rights: &[&'static str]| rights.iter().map(|right| (table, *right)).collect::<Vec<_>>();
        // A row that is held is one that could be changed.
        let mut all = of("job", &["SELECT", "UPDATE", "DELETE"]);
        let dags = match self {
            Disposal::Archive { replace, dags, .. } => {
                all.extend(of("archive", &["SELECT", "INSERT"]));
                all.extend(replace.then_some(("archive", "DELETE")));
                dags
            }
            Disposal::Delete { dags } => dags,
        };
        if *dags != Dags::Stay {
            all.extend(of("dag", &["SELECT", "UPDATE", "DELETE"]));
        }
        all
    }

    /// What foreign keys cost for each row that goes, in the writer's transaction.
    ///
    /// # Errors
    /// Where the database is gone.
    pub(super) async fn foreign_keys(
        &self,
        writer: &mut Writer,
        references: &References,
    ) -> Result<Option<ForeignKeys>, Failure> {
        let (Disposal::Archive { dags, .. } | Disposal::Delete { dags }) = self;
        ForeignKeys::measure(writer, references, *dags != Dags::Stay).await
    }

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
        writer.begin_batch().await?;
        match self.take_in_transaction(writer, criteria, batch).await {
            Ok(taken) => match writer.commit().await {
                Ok(()) => Ok(taken),
                Err(failure) => Err(Failure {
                    message: format!(
                        "the commit of {} was sent and not answered, so they may be done as well: {}",
                        taken.plan.sum(),
                        failure.message
                    ),
                    ..failure
                }),
            },
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
        let jobs = lock_jobs(writer, &dags, &singles, criteria.per_job).await?;
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
        let queues: Vec<Option<&str>> = jobs.iter().map(|job| job.queue.as_deref()).collect();
        let statement = match self {
            Disposal::Delete { .. } => include_str!("delete_jobs.sql").to_owned(),
            Disposal::Archive { columns, moved_columns, replace, .. } => {
                if *replace {
                    let delete =
                        sqlx::query(writer.schema.name.statement(include_str!("delete_archived.sql")))
                            .bind(&ids)
                            .bind(&queues);
                    writer.execute(delete).await?;
                }
                let statement = include_str!("archive_jobs.sql").replace("moved_columns", moved_columns);
                statement.replace("shared_columns", columns)
            }
        };
        let query = sqlx::query(AssertSqlSafe(writer.schema.name.qualify(&statement))).bind(ids).bind(queues);
        Ok(writer.execute(query).await?.rows_affected())
    }

    /// The DAGs' own rows; returns how many have gone.
    async fn delete_dags(&self, writer: &mut Writer, dags: Vec<Uuid>) -> Result<u64, Failure> {
        let (Disposal::Archive { dags: fate, .. } | Disposal::Delete { dags: fate }) = self;
        match fate {
            Dags::Stay => Ok(0),
            Dags::Go => Ok(delete_dags(writer, &dags, "true").await?.len() as u64),
            Dags::GoIfRecorded(lost) => {
                let conditions: Vec<String> =
                    lost.iter().map(|column| format!("d.{column} is null")).collect();
                let condition =
                    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" and ") };
                let before: i64 = writer
                    .fetch_one(sqlx::query(writer.schema.name.statement(include_str!("last_history.sql"))))
                    .await?
                    .try_get("last")?;
                writer.set_savepoint().await?;
                let gone = delete_dags(writer, &dags, &condition).await?;
                let recorded = sqlx::query(writer.schema.name.statement(include_str!("recorded_dags.sql")))
                    .bind(before)
                    .bind(&gone);
                let recorded: i64 = writer.fetch_one(recorded).await?.try_get("recorded")?;
                if usize::try_from(recorded) == Ok(gone.len()) {
                    return Ok(gone.len() as u64);
                }
                warn!(
                    dags = gone.len(),
                    recorded, "their deletion is not recorded in dag_history, so they stay"
                );
                writer.roll_back_to_savepoint().await?;
                Ok(0)
            }
        }
    }
}

/// Deletes those of the DAGs that have no jobs any more and for which the condition holds.
async fn delete_dags(writer: &mut Writer, dags: &[Uuid], condition: &str) -> Result<Vec<Uuid>, Failure> {
    let statement = writer.schema.name.qualify(include_str!("delete_dags.sql"));
    let statement = statement.replace("nothing_is_lost", condition);
    let rows = writer.fetch_all(sqlx::query(AssertSqlSafe(statement)).bind(dags)).await?;
    Ok(rows.iter().map(|row| row.try_get("id")).collect::<Result<_, sqlx::Error>>()?)
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
    let rows = writer
        .fetch_all(sqlx::query(writer.schema.name.statement(include_str!("lock_dags.sql"))).bind(dags))
        .await?;
    Ok(rows.iter().map(|row| row.try_get("id")).collect::<Result<_, sqlx::Error>>()?)
}

async fn lock_jobs(
    writer: &mut Writer,
    dags: &[Uuid],
    singles: &[Uuid],
    per_job: bool,
) -> Result<Vec<Job>, Failure> {
    let rows = writer
        .fetch_all(
            sqlx::query(writer.schema.name.statement(include_str!("lock_jobs.sql")))
                .bind(dags)
                .bind(singles)
                .bind(per_job),
        )
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
