//! SQL to paste: an index that a query lacks.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Advice, Outcome, QueryReport};
use crate::collect::collector::Query;
use crate::config::quote_identifier;
use crate::postgres::{Failure, Reason, Run};
use crate::schema::{Index, Need, Schema};

/// What the names of our indexes begin with.
pub const INDEX_PREFIX: &str = "marie_exporter_";

/// A partition, on any level.
pub(super) struct Partition {
    /// The same tomorrow, whichever partitions come and go.
    oid: i64,
    /// The number of the table that it is attached to.
    parent: i64,
    schema: String,
    name: String,
    /// Whether it has partitions itself.
    is_partitioned: bool,
    /// The name of the table at the top.
    top: String,
}

/// The partitions of the schema's tables.
///
/// # Errors
/// Any failure of the database.
pub(super) async fn partitions(run: &mut Run, schema: &str) -> Result<Vec<Partition>, Failure> {
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

/// The index that a query had to do without, be it to its end or not.
pub(super) fn index(
    query: &Query,
    found: &QueryReport,
    schema: &Schema,
    partitions: &[Partition],
) -> Option<Advice> {
    let (lane, seconds) = match found.outcome {
        Outcome::Ran { lane, seconds } => (lane, Some(seconds)),
        Outcome::Failed { lane, reason, .. } if reason == Reason::Timeout.label() => (lane, None),
        _ => return None,
    };
    let index = query.index.filter(|_| found.indexed == Some(false))?;
    if schema.is_missing(&Need::Columns(index.table, index.columns)) {
        return None;
    }
    Some(Advice { file: found.file, lane, seconds, sql: create_index(&index, schema, partitions) })
}

/// PostgreSQL cannot build an index of a partitioned table concurrently. So it is made on the parent alone,
/// where it is invalid at first, then on each partition without blocking writers, and attached. The last one makes the
/// parent's valid. New partitions get it by themselves, so a table without partitions needs the parent's only.
fn create_index(index: &Index, schema: &Schema, partitions: &[Partition]) -> String {
    let Index { table, columns, predicate } = index;
    let home = schema.name.quoted();
    let columns = columns.join(", ");
    let condition = predicate.map(|predicate| format!(" WHERE {predicate}")).unwrap_or_default();
    // By what it holds, so that an interrupted run finds what it has made.
    let partial = if predicate.is_some() { "_partial" } else { "" };
    let name = format!("{INDEX_PREFIX}{table}_{}{partial}", columns.replace(", ", "_"));
    let what = format!("({columns}){condition}");
    if !schema.is_partitioned(table) {
        return format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {home}.{table} {what};");
    }
    let mut commands = vec![format!("CREATE INDEX IF NOT EXISTS {name} ON ONLY {home}.{table} {what};")];
    let below: Vec<&Partition> = partitions.iter().filter(|partition| partition.top == *table).collect();
    let oids: Vec<i64> = below.iter().map(|partition| partition.oid).collect();
    for partition in below.iter().filter(|partition| !oids.contains(&partition.parent)) {
        attach(&mut commands, &below, partition, (&name, &format!("{home}.{name}")), &what);
    }
    commands.join("\n")
}

/// Adds the commands for a partition and those below it. `parent` is the index that its own is attached to, with its
/// schema; `name` is what the names of all begin with.
fn attach(
    commands: &mut Vec<String>,
    below: &[&Partition],
    partition: &Partition,
    (name, parent): (&str, &str),
    what: &str,
) {
    let home = quote_identifier(&partition.schema);
    let table = format!("{home}.{}", quote_identifier(&partition.name));
    let part = format!("{name}_{}", partition.oid);
    let qualified = format!("{home}.{part}");
    if partition.is_partitioned {
        commands.push(format!("CREATE INDEX IF NOT EXISTS {part} ON ONLY {table} {what};"));
        for child in below.iter().filter(|child| child.parent == partition.oid) {
            attach(commands, below, child, (name, &qualified), what);
        }
    } else {
        commands.push(format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {part} ON {table} {what};"));
    }
    commands.push(format!("ALTER INDEX {parent} ATTACH PARTITION {qualified};"));
}
