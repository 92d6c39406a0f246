//! Tables whose rows stay when jobs and DAGs go, because their foreign key sets the reference to NULL or to a default.
//!
//! TRUNCATE does not do that: it takes a table only together with all that refer to it. So the references are set in
//! batches beforehand, and the foreign key is dropped before the TRUNCATE and made again after it, in its transaction.

use sqlx::{AssertSqlSafe, Row};

use super::estimate::PAUSE;
use super::retry::{BATCH, changed};
use super::writer::Writer;
use crate::config::quote_identifier;
use crate::postgres::{Failure, Reason};

/// Rows of a batch. Only rows that refer to a job or a DAG are locked, for a fraction of a second.
const ROWS: u32 = 10_000;

/// A foreign key whose rows are kept.
pub(super) struct Keeper {
    /// Quoted, with its schema.
    pub(super) table: String,
    /// Whether our role may drop the foreign key and make it again.
    pub(super) is_owned: bool,
    /// Quoted.
    constraint: String,
    definition: String,
    value: &'static str,
    /// Quoted.
    columns: Vec<String>,
}

/// The foreign keys to these tables whose rows are kept, in the writer's transaction.
///
/// # Errors
/// Any failure of the database.
pub(super) async fn read(writer: &mut Writer, tables: &[&'static str]) -> Result<Vec<Keeper>, Failure> {
    let (schema, used) = (writer.schema.name.clone(), writer.schema.used(tables));
    let statement = sqlx::query(include_str!("keepers.sql")).bind(schema.as_str()).bind(used);
    let rows = writer.fetch_all(statement).await?;
    let keeper = |row: &sqlx::postgres::PgRow| {
        let name = |column| row.try_get::<String, _>(column).map(|name| quote_identifier(&name));
        Ok(Keeper {
            table: format!("{}.{}", name("schema_name")?, name("table_name")?),
            is_owned: row.try_get("is_owned")?,
            constraint: name("constraint_name")?,
            definition: row.try_get("definition")?,
            value: if row.try_get("to_default")? { "default" } else { "null" },
            columns: row.try_get("columns")?,
        })
    };
    Ok(rows.iter().map(keeper).collect::<Result<_, sqlx::Error>>()?)
}

/// Sets the references in batches, each a transaction.
///
/// # Errors
/// Any failure of the database.
pub(super) async fn release(writer: &mut Writer, keepers: &[Keeper]) -> Result<(), Failure> {
    for keeper in keepers.iter().filter(|keeper| keeper.value == "null") {
        let batch = format!(
            "{} and ctid = any (array(select ctid from {} where {} limit {ROWS}))",
            keeper.update(),
            keeper.table,
            keeper.refers()
        );
        loop {
            let update =
                async |writer: &mut Writer| writer.execute(sqlx::raw_sql(AssertSqlSafe(batch.clone()))).await;
            if changed(writer, &BATCH, update).await?.rows_affected() == 0 {
                break;
            }
            writer.pause(PAUSE).await;
            if writer.is_interrupted() {
                return Err(Failure::new(Reason::Other, "interrupted"));
            }
        }
    }
    Ok(())
}

impl Keeper {
    /// What our role lacks where it does not own the table.
    pub(super) fn ownership(&self) -> String {
        format!("ownership of {}", self.table)
    }

    /// The statements that let the tables be emptied. Rows may have been added since [`release`].
    pub(super) fn before(&self) -> [String; 3] {
        let drop = format!("alter table {} drop constraint {}", self.table, self.constraint);
        // A check that waits for the commit would forbid the change of the table.
        [self.update(), "set constraints all immediate".to_owned(), drop]
    }

    /// The statement that makes the foreign key again.
    pub(super) fn after(&self) -> String {
        format!("alter table {} add constraint {} {}", self.table, self.constraint, self.definition)
    }

    fn update(&self) -> String {
        let values: Vec<String> =
            self.columns.iter().map(|column| format!("{column} = {}", self.value)).collect();
        format!("update {} set {} where {}", self.table, values.join(", "), self.refers())
    }

    /// The condition for rows that refer to something.
    fn refers(&self) -> String {
        let conditions: Vec<String> =
            self.columns.iter().map(|column| format!("{column} is not null")).collect();
        format!("({})", conditions.join(" and "))
    }
}
