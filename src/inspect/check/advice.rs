//! Advises indexes: returns the SQL that creates the missing index of a query.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Advice, Outcome, QueryReport};
use crate::collect::collector::Query;
use crate::config::quote_identifier;
use crate::postgres::{Failure, Reason, Run};
use crate::schema::{Index, Need, Schema};

/// The prefix of the names of the exporter's indexes.
pub const INDEX_PREFIX: &str = "marie_exporter_";

/// A partition of a table, on any level below it.
pub(super) struct Partition {
    /// Part of the index's name, because it does not change when other partitions are added or dropped.
    oid: i64,
    /// The OID of the table that it is attached to.
    parent: i64,
    schema: String,
    name: String,
    /// Whether it has partitions.
    is_partitioned: bool,
    /// The name of the table to which it belongs, directly or through other partitions.
    top: String,
}

/// Reads the partitions of the schema's tables.
pub(super) async fn read_partitions(run: &mut Run, schema: &str) -> Result<Vec<Partition>, Failure> {
    let rows = run.fetch_all(sqlx::query(include_str!("partitions.sql")).bind(schema)).await?;
    let partition = |row: &PgRow| {
        Ok(Partition {
            oid: row.try_get("oid")?,
            parent: row.try_get("parent")?,
            schema: row.try_get("schema_name")?,
            name: row.try_get("table_name")?,
            is_partitioned: row.try_get("is_partitioned")?,
            top: row.try_get("top")?,
        })
    };
    Ok(rows.iter().map(partition).collect::<Result<_, sqlx::Error>>()?)
}

/// Returns the advice for a query that ran or timed out without its index. `None` if no index is needed.
pub(super) fn advise(
    query: &Query,
    found: &QueryReport,
    schema: &Schema,
    partitions: &[Partition],
) -> Option<Advice> {
    let (pace, seconds) = match found.outcome {
        Outcome::Ran { pace, seconds } => (pace, Some(seconds)),
        Outcome::Failed { pace, reason, .. } if reason == Reason::Timeout.label() => (pace, None),
        _ => return None,
    };
    let index = query.index.filter(|_| found.indexed == Some(false))?;
    if schema.is_missing(&Need::Columns(index.table, index.columns)) {
        return None;
    }
    Some(Advice { file: found.file, pace, seconds, sql: create_index(&index, schema, partitions) })
}

/// Returns the statements that create an index without blocking writers.
///
/// PostgreSQL cannot build an index of a partitioned table concurrently. The index is therefore created on the parent
/// alone, where it is invalid; then on each partition, concurrently; then these are attached. The last one makes the
/// parent's index valid. New partitions get the index automatically.
fn create_index(index: &Index, schema: &Schema, partitions: &[Partition]) -> String {
    let Index { table, columns, predicate } = index;
    let home = schema.name.quoted();
    let columns = columns.join(", ");
    let condition = predicate.map(|predicate| format!(" WHERE {predicate}")).unwrap_or_default();
    // The name follows from the definition, so that a repeated run finds the indexes of an interrupted one.
    let partial = if predicate.is_some() { "_partial" } else { "" };
    let name = format!("{INDEX_PREFIX}{table}_{}{partial}", columns.replace(", ", "_"));
    let definition = format!("({columns}){condition}");
    if !schema.is_partitioned(table) {
        return format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {home}.{table} {definition};");
    }
    let mut commands =
        vec![format!("CREATE INDEX IF NOT EXISTS {name} ON ONLY {home}.{table} {definition};")];
    let below: Vec<&Partition> = partitions.iter().filter(|partition| partition.top == *table).collect();
    let oids: Vec<i64> = below.iter().map(|partition| partition.oid).collect();
    for partition in below.iter().filter(|partition| !oids.contains(&partition.parent)) {
        attach(&mut commands, &below, partition, (&name, &format!("{home}.{name}")), &definition);
    }
    commands.join("\n")
}

/// Adds the statements for a partition and the partitions below it. `name` is the prefix of all names, and `parent` the
/// qualified name of the index to attach to.
fn attach(
    commands: &mut Vec<String>,
    below: &[&Partition],
    partition: &Partition,
    (name, parent): (&str, &str),
    definition: &str,
) {
    let home = quote_identifier(&partition.schema);
    let table = format!("{home}.{}", quote_identifier(&partition.name));
    let part = format!("{name}_{}", partition.oid);
    let qualified = format!("{home}.{part}");
    if partition.is_partitioned {
        commands.push(format!("CREATE INDEX IF NOT EXISTS {part} ON ONLY {table} {definition};"));
        for child in below.iter().filter(|child| child.parent == partition.oid) {
            attach(commands, below, child, (name, &qualified), definition);
        }
    } else {
        commands.push(format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {part} ON {table} {definition};"));
    }
    commands.push(format!("ALTER INDEX {parent} ATTACH PARTITION {qualified};"));
}
