//! Reads the catalog of the database into a [`Schema`].

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::Row;

use super::locks::Relations;
use super::{Filter, FoundIndex, Schema, TABLES, Table, Untrusted};
use crate::config::SchemaName;
use crate::postgres::{Connection, Failure};
use crate::terminal::escape::escaped;

/// Most characters of the server's version, which can contain the name of a package.
const VERSION_LENGTH: usize = 100;

impl Schema {
    /// Reads the catalog. The cost follows the number of partitions and indexes, not the number of rows.
    pub async fn read(connection: &mut Connection, name: &SchemaName) -> Result<Self, Failure> {
        let before = unix_time();
        let server =
            connection.fetch_one(sqlx::query(include_str!("server.sql")).bind(name.as_str())).await?;
        // The server read its clock between these two times.
        let exporter_clock = f64::midpoint(before, unix_time());
        let clock: f64 = server.try_get("clock")?;
        let mut schema = Schema {
            name: name.clone(),
            states: server.try_get("states")?,
            role: server.try_get("role")?,
            encoding: server.try_get("encoding")?,
            lock_table: server.try_get::<i64, _>("lock_table")?.unsigned_abs(),
            relations: Relations::read(connection, name).await?,
            server_version: escaped(server.try_get("server_version")?, VERSION_LENGTH),
            version_number: server.try_get("version_number")?,
            in_recovery: server.try_get("in_recovery")?,
            clock_offset: clock - exporter_clock,
            ..Schema::default()
        };
        schema.limit_locks();
        let used = schema.read_relations(connection).await?;
        schema.read_tables(connection, &used).await?;
        schema.read_indexes(connection, &used).await?;
        Ok(schema)
    }

    /// Reads the relations that are not used, and returns the names of the used ones.
    async fn read_relations(&mut self, connection: &mut Connection) -> Result<Vec<String>, Failure> {
        let statement = sqlx::query(include_str!("relations.sql"))
            .bind(self.name.as_str())
            .bind(TABLES.as_slice())
            .bind(false);
        let rows = connection.fetch_all(statement).await?;
        let mut used = Vec::new();
        for row in rows {
            let table: String = row.try_get("table_name")?;
            if let Some(untrusted) = Untrusted::from_row(&row)? {
                self.untrusted.insert(table, untrusted);
                continue;
            }
            if row.try_get("is_view")? {
                self.views.insert(table.clone());
            }
            used.push(table);
        }
        Ok(used)
    }

    /// Reads the columns and the row-level security of the used relations.
    async fn read_tables(&mut self, connection: &mut Connection, used: &[String]) -> Result<(), Failure> {
        let rows = connection
            .fetch_all(sqlx::query(include_str!("tables.sql")).bind(self.name.as_str()).bind(used))
            .await?;
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for row in rows {
            let partitioned = row.try_get("partitioned")?;
            tables
                .entry(row.try_get("table_name")?)
                .or_insert_with(|| Table { partitioned, columns: BTreeMap::new(), filter: None })
                .columns
                .insert(row.try_get("column_name")?, row.try_get("readable")?);
        }
        self.filters = Filter::read(connection, &self.name, used, &self.role).await?;
        for filter in self.filters.iter().filter(|filter| filter.is_effective) {
            if let Some(table) = tables.get_mut(&filter.relation) {
                table.filter.get_or_insert_with(|| filter.clone());
            }
        }
        self.tables = tables;
        Ok(())
    }

    async fn read_indexes(&mut self, connection: &mut Connection, used: &[String]) -> Result<(), Failure> {
        let rows = connection
            .fetch_all(sqlx::query(include_str!("indexes.sql")).bind(self.name.as_str()).bind(used))
            .await?;
        let found = rows.iter().map(|row| {
            Ok(FoundIndex {
                table: row.try_get("table_name")?,
                columns: row.try_get("columns")?,
                predicate: row.try_get("predicate")?,
            })
        });
        self.indexes = found.collect::<Result<_, sqlx::Error>>()?;
        Ok(())
    }
}

/// Returns the Unix time of the exporter's clock.
fn unix_time() -> f64 {
    // A clock before 1970 is wrong. Zero shows a large offset.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
