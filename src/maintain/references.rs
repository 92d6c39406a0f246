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
}

impl References {
    /// Those that there are, in the writer's transaction.
    ///
    /// # Errors
    /// Any failure of the database.
    pub(super) async fn read(writer: &mut Writer, schema: &SchemaName) -> Result<Self, Failure> {
        let rows = sqlx::query(include_str!("references.sql"))
            .bind(schema.as_str())
            .fetch_all(writer.connection())
            .await?;
        let mut references = References::default();
        for row in rows {
            let name = |column| row.try_get::<String, _>(column).map(|name| quote_identifier(&name));
            let table = format!("{}.{}", name("schema_name")?, name("table_name")?);
            let reference = Reference { table, column: name("column_name")? };
            if row.try_get("is_to_job")? {
                references.to_jobs.push(reference);
            } else {
                references.to_dags.push(reference);
            }
        }
        Ok(references)
    }

    /// The ids that are referred to, as the two tables that `judge.sql` asks for.
    pub(super) fn tables(&self) -> [String; 2] {
        [("referred_jobs", &self.to_jobs), ("referred_dags", &self.to_dags)].map(|(name, references)| {
            let selects: Vec<String> = references
                .iter()
                .map(|Reference { table, column }| format!("select {column} from {table}"))
                .collect();
            let ids = if selects.is_empty() {
                "select null::uuid where false".to_owned()
            } else {
                selects.join(" union ")
            };
            format!("{name} (id) as (select distinct id from ({ids}) as referred (id) where id is not null)")
        })
    }

    /// The tables' names, for messages.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.to_jobs.iter().chain(&self.to_dags).map(|reference| reference.table.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
