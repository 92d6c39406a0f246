//! Row-level security that keeps rows of a relation from our role: a count over such a relation would be wrong and look
//! right, so the relation counts as one that may not be read. The rule itself is `filters.sql`.

use std::fmt;

use sqlx::Row;

use crate::config::{SchemaName, quote_identifier};
use crate::postgres::{Connection, Failure};
use crate::terminal::escape::{MESSAGE_LIMIT, escaped};

/// Row-level security on a table, for the role that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The relation of the monitored schema that a query names.
    pub relation: String,
    /// The table with the policies: the relation itself, or one under a view.
    schema: String,
    table: String,
    /// The role with which PostgreSQL reads the table: ours, or the owner of a view.
    role: String,
    /// Whether rows can be kept back.
    pub(super) is_effective: bool,
    /// Whether a restrictive policy is a reason, which no other policy can lift.
    is_restricted: bool,
}

impl Filter {
    /// Reads the row-level security on relations of a schema for a role, which need not exist.
    ///
    /// # Errors
    /// Any error of the database.
    pub(crate) async fn read(
        connection: &mut Connection,
        schema: &SchemaName,
        relations: &[String],
        role: &str,
    ) -> Result<Vec<Self>, Failure> {
        let rows = connection
            .fetch_all(
                sqlx::query(include_str!("filters.sql")).bind(schema.as_str()).bind(relations).bind(role),
            )
            .await?;
        let filter = |row: &sqlx::postgres::PgRow| {
            Ok(Filter {
                relation: row.try_get("table_name")?,
                schema: row.try_get("secured_schema")?,
                table: row.try_get("secured_table")?,
                role: row.try_get("role")?,
                is_effective: row.try_get("is_filtered")?,
                is_restricted: row.try_get("is_restricted")?,
            })
        };
        Ok(rows.iter().map(filter).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Returns the SQL by which the role reads every row: a policy of the role's name, which affects no other role.
    fn remedy(&self) -> String {
        let role = quote_identifier(&self.role);
        if self.is_restricted {
            return format!(
                "-- A restrictive policy is in the way. This takes a superuser:\nALTER ROLE {role} BYPASSRLS;"
            );
        }
        let table = format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.table));
        format!(
            "-- Or, which takes a superuser: ALTER ROLE {role} BYPASSRLS;\n\
             DROP POLICY IF EXISTS {role} ON {table};\n\
             CREATE POLICY {role} ON {table} FOR SELECT TO {role} USING (true);"
        )
    }

    /// Returns the SQL that lifts these filters, each statement once.
    pub(crate) fn remedies<'a>(filters: impl IntoIterator<Item = &'a Filter>) -> String {
        let effective = filters.into_iter().filter(|filter| filter.is_effective);
        let mut remedies: Vec<String> = effective.map(Filter::remedy).collect();
        remedies.sort_unstable();
        remedies.dedup();
        remedies.join("\n")
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [relation, table, role] =
            [&self.relation, &self.table, &self.role].map(|name| escaped(name, MESSAGE_LIMIT));
        write!(to, "row-level security keeps rows of table {table} from {role}")?;
        if relation != table {
            write!(to, ", whose view {relation} reads it")?;
        }
        Ok(())
    }
}
