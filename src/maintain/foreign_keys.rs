//! Foreign keys of other tables that refer to jobs or DAGs, such as requests for a human decision.
//!
//! Archive keeps every unit to which such a row refers. Purge keeps a unit only if the foreign key forbids its deletion;
//! otherwise rows are deleted with it or lose their reference, and purge prints which.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::session::WriteSession;
use crate::config::{SchemaName, quote_identifier};
use crate::postgres::Failure;
use crate::terminal::escape::escaped;

#[derive(Debug, Clone, Default)]
pub(super) struct ForeignKeys {
    to_jobs: Vec<ForeignKey>,
    to_dags: Vec<ForeignKey>,
    /// Tables in which deleting jobs and DAGs changes rows, directly or through other tables.
    affected: Vec<AffectedTable>,
}

#[derive(Debug, Clone)]
struct AffectedTable {
    /// Quoted, with its schema.
    name: String,
    /// Whether its rows are deleted; otherwise they lose their reference.
    is_deleted: bool,
}

#[derive(Debug, Clone)]
struct ForeignKey {
    /// The referring table, quoted, with its schema.
    table: String,
    /// The column that holds the id, quoted.
    column: String,
    /// Whether it forbids deleting the row to which it refers.
    forbids: bool,
}

impl ForeignKeys {
    /// Reads the foreign keys to jobs and DAGs, in the open transaction.
    pub(super) async fn read(session: &mut WriteSession, schema: &SchemaName) -> Result<Self, Failure> {
        let statement = sqlx::query(include_str!("foreign_keys.sql")).bind(schema.as_str());
        let mut keys = ForeignKeys::default();
        for row in session.fetch_all(statement).await? {
            let column = quote_identifier(row.try_get("column_name")?);
            let key = ForeignKey { table: table_name(&row)?, column, forbids: row.try_get("forbids")? };
            if row.try_get("is_to_job")? {
                keys.to_jobs.push(key);
            } else {
                keys.to_dags.push(key);
            }
        }
        let statement = sqlx::query(include_str!("affected_tables.sql")).bind(schema.as_str());
        for row in session.fetch_all(statement).await? {
            let is_deleted = row.try_get("is_deleted")?;
            keys.affected.push(AffectedTable { name: table_name(&row)?, is_deleted });
        }
        Ok(keys)
    }

    /// Returns the foreign keys that forbid deleting the rows to which they refer.
    pub(super) fn forbidding(&self) -> Self {
        let forbidding = |keys: &[ForeignKey]| keys.iter().filter(|key| key.forbids).cloned().collect();
        let (to_jobs, to_dags) = (forbidding(&self.to_jobs), forbidding(&self.to_dags));
        ForeignKeys { to_jobs, to_dags, affected: Vec::new() }
    }

    /// Returns the common table expressions of `judge.sql` with the ids to which rows refer, limited to a batch if
    /// `is_batch` is set.
    pub(super) fn referenced_ids(&self, is_batch: bool) -> [String; 2] {
        let tables = [("referred_jobs", &self.to_jobs, "id"), ("referred_dags", &self.to_dags, "dag_id")];
        tables.map(|(name, keys, id)| {
            let condition = if is_batch {
                format!(" in (select {id} from candidate)")
            } else {
                " is not null".to_owned()
            };
            let selects: Vec<String> = keys
                .iter()
                .map(|ForeignKey { table, column, .. }| {
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

    /// Returns the lookups that the server makes when the row with the id `$1` is deleted, each with whether the id is a
    /// DAG's.
    pub(super) fn lookups(&self) -> Vec<(String, bool)> {
        let lookup = |ForeignKey { table, column, .. }: &ForeignKey| {
            format!("select from {table} where {column} = $1")
        };
        let for_dags = self.to_dags.iter().map(|key| (lookup(key), true));
        for_dags.chain(self.to_jobs.iter().map(|key| (lookup(key), false))).collect()
    }

    /// Returns sentences about what happens to rows that refer to deleted jobs and DAGs.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (sentence, is_deleted) in [
            ("Rows that refer to what is deleted go with it", true),
            ("Rows that refer to what is deleted stay without their reference", false),
        ] {
            let names: Vec<String> = self
                .affected
                .iter()
                .filter(|table| table.is_deleted == is_deleted)
                .map(|table| escaped(&table.name, 200))
                .collect();
            if !names.is_empty() {
                notes.push(format!("{sentence}: {}.", names.join(", ")));
            }
        }
        notes
    }
}

/// Returns the table that `schema_name` and `table_name` of a row name, quoted.
pub(super) fn table_name(row: &PgRow) -> Result<String, sqlx::Error> {
    let quoted = |column| row.try_get::<&str, _>(column).map(quote_identifier);
    Ok(format!("{}.{}", quoted("schema_name")?, quoted("table_name")?))
}
