//! Finds relations of which row-level security hides rows from the session's role. A count over such a relation would be
//! wrong but look right, so the relation counts as unreadable. `filters.sql` contains the rule.

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
    /// The table with the policies: the relation itself, or a table that a view reads.
    schema: String,
    table: String,
    /// The role with which PostgreSQL reads the table: that of the session, or the owner of a view.
    role: String,
    /// Whether rows can be hidden.
    pub(super) is_effective: bool,
    /// Whether a restrictive policy hides rows. No other policy can lift it.
    is_restricted: bool,
}

impl Filter {
    /// Reads the row-level security on relations of a schema for a role, which need not exist.
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

    /// Returns the SQL after which the role reads every row: it creates a policy that affects no other role.
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

    /// Returns the SQL that removes these filters, each statement once.
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
