//! Tables whose rows refer to jobs or DAGs, such as requests for a human's decision: such rows go when the job goes, which
//! a purge says, and for which the archive leaves the job where it is.

use sqlx::Row;

use super::writer::Writer;
use crate::config::{SchemaName, quote_identifier};
use crate::postgres::Failure;
use crate::terminal::escape::escaped;

#[derive(Debug, Clone, Default)]
pub(super) struct References {
    to_jobs: Vec<Reference>,
    to_dags: Vec<Reference>,
    /// Every table whose rows a delete of jobs and DAGs changes, however far they refer to them.
    affected: Vec<Affected>,
}

#[derive(Debug, Clone)]
struct Affected {
    /// Quoted, with its schema.
    table: String,
    /// Whether its rows are deleted; otherwise they lose their reference.
    is_deleted: bool,
}

#[derive(Debug, Clone)]
struct Reference {
    /// Quoted, with its schema.
    table: String,
    /// Quoted.
    column: String,
    /// Whether what they refer to cannot be deleted.
    forbids: bool,
}

impl References {
    /// Those that there are, in the writer's transaction.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn read(writer: &mut Writer, schema: &SchemaName) -> Result<Self, Failure> {
        let rows =
            writer.fetch_all(sqlx::query(include_str!("references.sql")).bind(schema.as_str())).await?;
        let mut references = References::default();
        for row in rows {
            let name = |column| row.try_get::<String, _>(column).map(|name| quote_identifier(&name));
            let table = format!("{}.{}", name("schema_name")?, name("table_name")?);
            let reference =
                Reference { table, column: name("column_name")?, forbids: row.try_get("forbids")? };
            if row.try_get("is_to_job")? {
                references.to_jobs.push(reference);
            } else {
                references.to_dags.push(reference);
            }
        }
        let rows = writer.fetch_all(sqlx::query(include_str!("affected.sql")).bind(schema.as_str())).await?;
        for row in rows {
            let name = |column| row.try_get::<String, _>(column).map(|name| quote_identifier(&name));
            let table = format!("{}.{}", name("schema_name")?, name("table_name")?);
            references.affected.push(Affected { table, is_deleted: row.try_get("is_deleted")? });
        }
        Ok(references)
    }

    /// Those that keep what they refer to from being deleted.
    pub(super) fn forbidding(&self) -> Self {
        let forbidding = |references: &[Reference]| {
            references.iter().filter(|reference| reference.forbids).cloned().collect()
        };
        let (to_jobs, to_dags) = (forbidding(&self.to_jobs), forbidding(&self.to_dags));
        References { to_jobs, to_dags, affected: Vec::new() }
    }

    /// The ids that are referred to, as the two tables that `judge.sql` asks for; of a batch, those of its jobs and DAGs
    /// only.
    pub(super) fn tables(&self, of_batch: bool) -> [String; 2] {
        let tables = [("referred_jobs", &self.to_jobs, "id"), ("referred_dags", &self.to_dags, "dag_id")];
        tables.map(|(name, references, id)| {
            let condition = if of_batch {
                format!(" in (select {id} from candidate)")
            } else {
                " is not null".to_owned()
            };
            let selects: Vec<String> = references
                .iter()
                .map(|Reference { table, column, .. }| {
                    format!("select {column} from {table} where {column}{condition}")
                })
                .collect();
            let ids = if selects.is_empty() {
                "select null::uuid where false".to_owned()
            } else {
                selects.join(" union ")
            };
            format!("{name} (id) as (select distinct id from ({ids}) as referred (id))")
        })
    }

    /// Statements that look for rows that refer to the id `$1`, as the server does when that is deleted; and whether the
    /// id is a DAG's.
    pub(super) fn looks(&self) -> Vec<(String, bool)> {
        let look =
            |Reference { table, column, .. }: &Reference| format!("select from {table} where {column} = $1");
        let of_dags = self.to_dags.iter().map(|reference| (look(reference), true));
        of_dags.chain(self.to_jobs.iter().map(|reference| (look(reference), false))).collect()
    }

    /// What happens to rows that refer to what is deleted.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (what, is_deleted) in [
            ("Rows that refer to what is deleted go with it", true),
            ("Rows that refer to what is deleted stay without their reference", false),
        ] {
            let names: Vec<String> = self
                .affected
                .iter()
                .filter(|affected| affected.is_deleted == is_deleted)
                .map(|affected| escaped(&affected.table, 200))
                .collect();
            if !names.is_empty() {
                notes.push(format!("{what}: {}.", names.join(", ")));
            }
        }
        notes
    }
}
