//! The rights that the exporter and the reading commands need, column by column, and the SQL that gives them to a role.
//!
//! They follow from the needs of the queries. The command `grants` prints the SQL; `check` prints it too if its role has
//! fewer or more rights. `excess` reads which rights a role has beyond these.

mod excess;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;

pub use self::excess::Excess;
use crate::collect::{pass, queue_labels};
use crate::config::{Config, SchemaName, quote_identifier};
use crate::inspect;
use crate::postgres::{Failure, Run, Session};
use crate::schema::{Filter, Lack, Need, Schema};

/// The connection of `serve`, and those of commands that run at the same time.
const CONNECTIONS: u32 = 5;

/// Settings with which the server ends a dead connection after a minute and a half.
///
/// With the system's default a session whose network is gone stays for two hours. Five of these would use up the role's
/// connection limit.
const KEEPALIVES: [(&str, u32); 3] =
    [("tcp_keepalives_idle", 60), ("tcp_keepalives_interval", 10), ("tcp_keepalives_count", 3)];

/// The columns to read, by table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights(BTreeMap<&'static str, BTreeSet<&'static str>>);

impl Rights {
    /// Returns the rights for all queries that can run on this schema.
    ///
    /// Queries that the configuration does not request are included, so that a flag needs no further grant. The rights that
    /// the current role has do not matter.
    pub fn needed(schema: &Schema) -> Self {
        let queries = pass::statements().chain(inspect::queries());
        let can_run = queries.filter(|query| !matches!(query.lack(schema), Some(Lack::Missing(_))));
        let mut rights: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for need in can_run
            .flat_map(|query| query.needs_here(schema))
            .chain(&[queue_labels::NAMES_IN_QUEUE, queue_labels::NAMES_IN_JOB])
        {
            if let Need::Columns(table, columns) = need
                && !schema.is_missing(need)
            {
                rights.entry(*table).or_default().extend(*columns);
            }
        }
        Rights(rights)
    }

    /// Returns each table and column.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.iter().flat_map(|(table, columns)| columns.iter().map(|column| (*table, *column)))
    }

    /// Returns the other columns that the current role may read in this schema, as `table.column`.
    pub fn exceeded(&self, schema: &Schema) -> Vec<String> {
        let is_needed = |(table, column)| {
            self.0.get(table).is_some_and(|columns: &BTreeSet<&str>| columns.contains(column))
        };
        let excess = schema.readable().filter(|readable| !is_needed(*readable));
        // `xmin` and `ctid` are system columns: the right to read the table includes them.
        excess
            .filter(|(_, column)| !["xmin", "ctid"].contains(column))
            .map(|(table, column)| format!("{table}.{column}"))
            .collect()
    }

    /// Returns the statements that give the rights to a role. A right to a partitioned table holds for its partitions,
    /// including future ones.
    pub fn grants(&self, schema: &SchemaName, role: &str) -> String {
        let (schema, role) = (schema.quoted(), quote_identifier(role));
        let mut grants = vec![format!("GRANT USAGE ON SCHEMA {schema} TO {role};")];
        for (table, columns) in &self.0 {
            let columns: Vec<&str> = columns.iter().copied().collect();
            grants.push(format!("GRANT SELECT ({})\n    ON {schema}.{table} TO {role};", columns.join(", ")));
        }
        grants.join("\n")
    }
}

/// Returns the SQL that creates a role with the needed rights only, or reduces an existing role to these.
///
/// It is one transaction, so that a running exporter is not interrupted. It has no password, because the operator chooses
/// that.
pub async fn role_sql(
    run: &mut Run,
    schema: &Schema,
    name: &SchemaName,
    role: &str,
) -> Result<String, Failure> {
    let row = run.fetch_one(sqlx::query(include_str!("grants/role.sql")).bind(role)).await?;
    let needed = Rights::needed(schema);
    let grants = needed.grants(name, role);
    let tables: Vec<String> = needed.0.keys().map(ToString::to_string).collect();
    let filters = Filter::read(run, name, &tables, role).await?;
    let mut remedies = Filter::remedies(&filters);
    if !remedies.is_empty() {
        remedies.push('\n');
    }
    let mut revokes = Excess::read(run, name, role).await?.revokes.join("\n");
    if !revokes.is_empty() {
        revokes.push('\n');
    }
    let database = quote_identifier(&row.try_get::<String, _>("database")?);
    let (schema, role) = (name.quoted(), quote_identifier(role));
    let role_itself = if row.try_get("is_there")? {
        format!(
            "-- The role exists. It loses every right, attribute and membership that the exporter does not need.\n\
             ALTER ROLE {role} CONNECTION LIMIT {CONNECTIONS};\n\
             {revokes}\
             REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};"
        )
    } else {
        format!(
            "-- Give it a password afterwards, in psql with \\password.\n\
             CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT {CONNECTIONS};"
        )
    };
    let keepalives = KEEPALIVES.map(|(name, value)| format!("ALTER ROLE {role} SET {name} = {value};\n"));
    Ok(format!(
        "BEGIN;\n\
         {role_itself}\n\
         ALTER ROLE {role} SET default_transaction_read_only = on;\n\
         -- Sessions that the network has lost end after 90 seconds. Otherwise they would use up the connection limit.\n\
         {}\
         GRANT CONNECT ON DATABASE {database} TO {role};\n\
         {grants}\n\
         {remedies}\
         COMMIT;",
        keepalives.concat()
    ))
}

/// `marie-exporter grants`: returns that SQL for the configured schema. Any role that can connect may run it, because
/// each role may read the catalog.
///
/// # Errors
/// If the database cannot be read or has no table `job` in the schema.
pub async fn grants(config: &Config, role: &str) -> Result<String, Failure> {
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let mut run = session.begin().await?;
    let name = &config.database.schema;
    let schema = Schema::read(&mut run, name).await?;
    schema.require_job_table(name)?;
    let sql = role_sql(&mut run, &schema, name, role).await?;
    session.finish(run, None).await;
    session.close().await;
    Ok(sql)
}
