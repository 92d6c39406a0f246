//! SQL to paste: an index that a query lacks, the rights that a role lacks, and a role that can do no more
//! than the exporter needs.

use super::{Advice, Outcome, QueryReport};
use crate::collector::Query;
use crate::config::{SchemaName, quote_identifier};
use crate::database::Reason;
use crate::schema::{Index, Lack, Need, Schema};

/// Every table that a collector reads; sizes and statistics need no right. `dag_history` is for the event
/// feed, which follows both histories: whoever grants now need not grant again for it.
const TABLES: [&str; 8] =
    ["job", "job_dependencies", "job_history", "job_attempt", "dag", "dag_history", "queue", "version"];

/// The index that a query had to do without, be it to its end or not.
pub(super) fn index(
    query: &Query,
    found: &QueryReport,
    schema: &SchemaName,
    partitions: &[String],
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
fn create_index(index: &Index, schema: &SchemaName, partitions: &[String]) -> String {
    let Index { table, columns, predicate } = index;
    let schema = schema.quoted();
    let columns = columns.join(", ");
    let condition = predicate.map(|predicate| format!(" WHERE {predicate}")).unwrap_or_default();
    if partitions.is_empty() || *table != "job" {
        return format!("CREATE INDEX CONCURRENTLY ON {schema}.{table} ({columns}){condition};");
    }
    let name = format!("marie_exporter_{}", columns.replace(", ", "_"));
    let mut commands = vec![format!("CREATE INDEX {name} ON ONLY {schema}.{table} ({columns}){condition};")];
    for (number, partition) in partitions.iter().enumerate() {
        let partition = quote_identifier(partition);
        let part = format!("{name}_{}", number + 1);
        commands.push(format!(
            "CREATE INDEX CONCURRENTLY {part} ON {schema}.{partition} ({columns}){condition};"
        ));
        commands.push(format!("ALTER INDEX {schema}.{name} ATTACH PARTITION {schema}.{part};"));
    }
    commands.join("\n")
}

/// The password is the operator's to choose: none stands here to be pasted.
pub(super) fn least_privilege(schema: &Schema, name: &SchemaName, database: &str) -> String {
    format!(
        "CREATE ROLE marie_exporter LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 3;\n\
         -- then, in psql: \\password marie_exporter\n\
         ALTER ROLE marie_exporter SET default_transaction_read_only = on;\n\
         GRANT CONNECT ON DATABASE {} TO marie_exporter;\n\
         {}",
        quote_identifier(database),
        grants(schema, name, "marie_exporter"),
    )
}

/// Rights on every table that is there. Whether we may read it says nothing: who is denied one asks for it.
pub(super) fn grants(schema: &Schema, name: &SchemaName, role: &str) -> String {
    let schema_name = name.quoted();
    let tables: Vec<String> = TABLES
        .into_iter()
        .filter(|table| !matches!(schema.lacks(&Need::Table(table)), Some(Lack::Missing(_))))
        .map(|table| format!("{schema_name}.{table}"))
        .collect();
    let mut grants = vec![format!("GRANT USAGE ON SCHEMA {schema_name} TO {role};")];
    if !tables.is_empty() {
        grants.push(format!("GRANT SELECT ON {} TO {role};", tables.join(", ")));
    }
    grants.join("\n")
}
