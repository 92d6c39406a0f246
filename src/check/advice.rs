//! SQL to paste: an index that a query lacks.

use super::{Advice, Outcome, Partition, QueryReport};
use crate::collector::Query;
use crate::config::{SchemaName, quote_identifier};
use crate::database::Reason;
use crate::schema::Index;

/// What the names of our indexes begin with.
pub const INDEX_PREFIX: &str = "marie_exporter_";

/// The index that a query had to do without, be it to its end or not.
pub(super) fn index(
    query: &Query,
    found: &QueryReport,
    schema: &SchemaName,
    partitions: &[Partition],
) -> Option<Advice> {
    let (lane, seconds) = match found.outcome {
        Outcome::Ran { lane, seconds } => (lane, Some(seconds)),
        Outcome::Failed { lane, reason, .. } if reason == Reason::Timeout.label() => (lane, None),
        _ => return None,
    };
    let index = query.index.filter(|_| found.indexed == Some(false))?;
    Some(Advice { file: found.file, lane, seconds, sql: create_index(&index, schema, partitions) })
}

/// PostgreSQL cannot build an index of a partitioned table concurrently. So it is made on the parent alone,
/// where it is invalid at first, then on each partition without blocking writers, and attached; with the
/// last one the parent's becomes valid, and new partitions get it by themselves.
fn create_index(index: &Index, schema: &SchemaName, partitions: &[Partition]) -> String {
    let Index { table, columns, predicate } = index;
    let schema = schema.quoted();
    let columns = columns.join(", ");
    let condition = predicate.map(|predicate| format!(" WHERE {predicate}")).unwrap_or_default();
    // By what it holds, so that an interrupted run finds what it has made.
    let partial = if predicate.is_some() { "_partial" } else { "" };
    let name = format!("{INDEX_PREFIX}{table}_{}{partial}", columns.replace(", ", "_"));
    if partitions.is_empty() || *table != "job" {
        return format!(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {schema}.{table} ({columns}){condition};"
        );
    }
    let mut commands =
        vec![format!("CREATE INDEX IF NOT EXISTS {name} ON ONLY {schema}.{table} ({columns}){condition};")];
    for Partition { name: partition, oid } in partitions {
        let partition = quote_identifier(partition);
        let part = format!("{name}_{oid}");
        commands.push(format!(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS {part} ON {schema}.{partition} ({columns}){condition};"
        ));
        commands.push(format!("ALTER INDEX {schema}.{name} ATTACH PARTITION {schema}.{part};"));
    }
    commands.join("\n")
}
