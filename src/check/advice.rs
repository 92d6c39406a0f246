//! SQL to paste: an index that a query lacks, and a role that can do no more than the exporter needs.

use crate::config::{SchemaName, quote_identifier};
use crate::schema::{Index, Need, Schema};

/// Every table that a collector reads; sizes and statistics need no right.
const TABLES: [&str; 8] =
    ["job", "job_dependencies", "job_history", "job_attempt", "dag", "dag_history", "queue", "version"];

/// PostgreSQL cannot build an index of a partitioned table concurrently. So it is made on the parent alone,
/// where it is invalid at first, then on each partition without blocking writers, and attached; with the
/// last one the parent's becomes valid, and new partitions get it by themselves.
pub(super) fn create_index(index: &Index, schema: &SchemaName, partitions: &[String]) -> String {
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
    let schema_name = name.quoted();
    let tables: Vec<String> = TABLES
        .into_iter()
        .filter(|table| schema.lacks(&Need::Table(table)).is_none())
        .map(|table| format!("{schema_name}.{table}"))
        .collect();
    format!(
        "CREATE ROLE marie_exporter LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 3;\n\
         -- then, in psql: \\password marie_exporter\n\
         ALTER ROLE marie_exporter SET default_transaction_read_only = on;\n\
         GRANT CONNECT ON DATABASE {} TO marie_exporter;\n\
         GRANT USAGE ON SCHEMA {schema_name} TO marie_exporter;\n\
         GRANT SELECT ON {} TO marie_exporter;",
        quote_identifier(database),
        tables.join(", "),
    )
}
