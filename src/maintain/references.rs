//! Tables whose rows refer to jobs or DAGs, such as requests for a human's decision: such rows go when the job goes, which
//! a purge says, and for which the archive leaves the job where it is.

use sqlx::Row;

use super::writer::Writer;
use crate::config::{SchemaName, quote_identifier};
use crate::database::Failure;

#[derive(Debug, Clone, Default)]
pub(super) struct References {
    to_jobs: Vec<Reference>,
    to_dags: Vec<Reference>,
}

#[derive(Debug, Clone)]
struct Reference {
    /// Quoted, with its schema.
    table: String,
    /// Quoted.
    column: String,
    /// Whether its rows are deleted with what they refer to.
    goes_along: bool,
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
            let reference = Reference {
                table,
                column: name("column_name")?,
                goes_along: row.try_get("goes_along")?,
                forbids: row.try_get("forbids")?,
            };
            if row.try_get("is_to_job")? {
                references.to_jobs.push(reference);
            } else {
                references.to_dags.push(reference);
            }
        }
        Ok(references)
    }

    /// Those that keep what they refer to from being deleted.
    pub(super) fn forbidding(&self) -> Self {
        let forbidding = |references: &[Reference]| {
            references.iter().filter(|reference| reference.forbids).cloned().collect()
        };
        References { to_jobs: forbidding(&self.to_jobs), to_dags: forbidding(&self.to_dags) }
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

    /// The tables whose rows are deleted with what they refer to, for messages.
    pub(super) fn that_go_along(&self) -> Vec<&str> {
        let all = self.to_jobs.iter().chain(&self.to_dags);
        let mut names: Vec<&str> =
            all.filter(|reference| reference.goes_along).map(|reference| reference.table.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
