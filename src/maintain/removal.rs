//! How a clean-up removes jobs and DAGs: jobs move to the archive or are deleted, rows of DAGs are deleted or kept.
//!
//! [`batch`](super::batch) calls this with rows that it has locked and judged.

use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Row};
use tracing::warn;

use super::estimate::ForeignKeyCost;
use super::foreign_keys::ForeignKeys;
use super::session::WriteSession;
use crate::postgres::Failure;
use crate::schema::{Need, Schema};

#[derive(Debug, Clone)]
pub(super) enum Removal {
    /// Moves jobs to the archive.
    Archive {
        /// Columns that job and archive share, quoted and separated by commas.
        columns: String,
        /// The same columns with the alias of job.
        moved_columns: String,
        /// Whether jobs replace earlier rows of theirs in the archive.
        replace: bool,
        dag_rows: DagRows,
    },
    /// Deletes jobs.
    Delete { dag_rows: DagRows },
}

/// What happens to the row of a DAG after its jobs are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DagRows {
    Keep,
    Delete,
    /// Deleted if the scheduler's trigger records the deletion in `dag_history`, and if these columns are NULL. They are
    /// quoted, and `dag_history` lacks them.
    DeleteIfRecorded(Vec<String>),
}

/// A job that is locked for its removal.
#[derive(Debug)]
pub(super) struct JobKey<'a> {
    pub(super) id: Uuid,
    pub(super) queue: Option<&'a str>,
}

impl Removal {
    fn dag_rows(&self) -> &DagRows {
        let (Removal::Archive { dag_rows, .. } | Removal::Delete { dag_rows }) = self;
        dag_rows
    }

    /// Returns the rights that the removal requires, each a table and a privilege.
    pub(super) fn rights(&self) -> Vec<(&'static str, &'static str)> {
        // Locking a row requires UPDATE.
        let mut rights = vec![("job", "SELECT"), ("job", "UPDATE"), ("job", "DELETE")];
        if let Removal::Archive { replace, .. } = self {
            rights.extend([("archive", "SELECT"), ("archive", "INSERT")]);
            rights.extend(replace.then_some(("archive", "DELETE")));
        }
        if *self.dag_rows() != DagRows::Keep {
            rights.extend([("dag", "SELECT"), ("dag", "UPDATE"), ("dag", "DELETE")]);
        }
        rights
    }

    /// Measures what foreign keys cost for each removed row, in the open transaction. `None` if that is not possible.
    pub(super) async fn measure_foreign_keys(
        &self,
        session: &mut WriteSession,
        keys: &ForeignKeys,
    ) -> Result<Option<ForeignKeyCost>, Failure> {
        ForeignKeyCost::measure(session, keys, *self.dag_rows() != DagRows::Keep).await
    }

    /// Removes jobs and returns their number.
    pub(super) async fn remove_jobs(
        &self,
        session: &mut WriteSession,
        jobs: &[JobKey<'_>],
    ) -> Result<u64, Failure> {
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
        let queues: Vec<Option<&str>> = jobs.iter().map(|job| job.queue).collect();
        let statement = match self {
            Removal::Delete { .. } => include_str!("delete_jobs.sql").to_owned(),
            Removal::Archive { columns, moved_columns, replace, .. } => {
                if *replace {
                    let delete =
                        sqlx::query(session.schema.name.statement(include_str!("delete_archived.sql")))
                            .bind(&ids)
                            .bind(&queues);
                    session.execute(delete).await?;
                }
                let statement = include_str!("archive_jobs.sql").replace("moved_columns", moved_columns);
                statement.replace("shared_columns", columns)
            }
        };
        let query =
            sqlx::query(AssertSqlSafe(session.schema.name.qualify(&statement))).bind(ids).bind(queues);
        Ok(session.execute(query).await?.rows_affected())
    }

    /// Deletes the rows of DAGs whose jobs are removed, and returns how many were deleted.
    pub(super) async fn remove_dags(
        &self,
        session: &mut WriteSession,
        dags: &[Uuid],
    ) -> Result<u64, Failure> {
        match self.dag_rows() {
            DagRows::Keep => Ok(0),
            DagRows::Delete => Ok(delete_dags(session, dags, "true").await?.len() as u64),
            DagRows::DeleteIfRecorded(lost) => delete_recorded_dags(session, dags, lost).await,
        }
    }
}

/// Deletes rows of DAGs, and restores them if `dag_history` did not record every deletion.
async fn delete_recorded_dags(
    session: &mut WriteSession,
    dags: &[Uuid],
    lost_columns: &[String],
) -> Result<u64, Failure> {
    let conditions: Vec<String> = lost_columns.iter().map(|column| format!("d.{column} is null")).collect();
    let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" and ") };
    let last_row = sqlx::query(session.schema.name.statement(include_str!("last_history.sql")));
    let last_row: i64 = session.fetch_one(last_row).await?.try_get("last")?;
    session.set_savepoint().await?;
    let deleted = delete_dags(session, dags, &condition).await?;
    let recorded = sqlx::query(session.schema.name.statement(include_str!("count_recorded_dags.sql")))
        .bind(last_row)
        .bind(&deleted);
    let recorded: i64 = session.fetch_one(recorded).await?.try_get("recorded")?;
    if usize::try_from(recorded) == Ok(deleted.len()) {
        return Ok(deleted.len() as u64);
    }
    warn!(dags = deleted.len(), recorded, "their deletion is not recorded in dag_history, so they stay");
    session.roll_back_to_savepoint().await?;
    Ok(0)
}

/// Deletes those of the DAGs that have no jobs and for which the condition holds, and returns their ids.
async fn delete_dags(
    session: &mut WriteSession,
    dags: &[Uuid],
    condition: &str,
) -> Result<Vec<Uuid>, Failure> {
    let statement = session.schema.name.qualify(include_str!("delete_dags.sql"));
    let statement = statement.replace("nothing_is_lost", condition);
    let rows = session.fetch_all(sqlx::query(AssertSqlSafe(statement)).bind(dags)).await?;
    Ok(rows.iter().map(|row| row.try_get("id")).collect::<Result<_, sqlx::Error>>()?)
}

/// Returns whether the schema has a table of DAGs.
pub(super) fn has_dags(schema: &Schema) -> bool {
    !schema.is_missing(&Need::Table("dag"))
}
