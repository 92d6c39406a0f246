//! What of the database the exporter and the reading commands read, column by column, and the SQL by which a role may read just that:
//! what the command `grants` prints, and `check` where the role that it is given has less or more. It all
//! follows from what the queries say that they need.

mod excess;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;

pub use self::excess::Excess;
use crate::collect::collectors::COLLECTORS;
use crate::collect::queue_labels;
use crate::config::{Config, SchemaName, quote_identifier};
use crate::inspect;
use crate::postgres::{Failure, Run, Session};
use crate::schema::{Filter, Lack, Need, Schema};

/// Two lanes, and beside them `check`, `top` and a reading command, or three of these.
const CONNECTIONS: u32 = 5;

/// When the server takes a silent connection for lost. What the network swallowed without a word keeps its session, by
/// the system's default for two hours, and five of those would be all that the role may have. These end it after a
/// minute and a half.
const KEEPALIVES: [(&str, u32); 3] =
    [("tcp_keepalives_idle", 60), ("tcp_keepalives_interval", 10), ("tcp_keepalives_count", 3)];

/// Columns to read, by table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights(BTreeMap<&'static str, BTreeSet<&'static str>>);

impl Rights {
    /// Of all that can run on this schema, asked for or not: a flag must not take a grant. What we may read now
    /// has no say.
    pub fn needed(schema: &Schema) -> Self {
        let collected = COLLECTORS.iter().flat_map(|collector| collector.queries);
        let queries = collected.chain(inspect::queries());
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

    /// Every column, each with its table.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.0.iter().flat_map(|(table, columns)| columns.iter().map(|column| (*table, *column)))
    }

    /// What our role may read in this schema besides, as `table.column`.
    pub fn exceeded(&self, schema: &Schema) -> Vec<String> {
        let is_needed = |(table, column)| {
            self.0.get(table).is_some_and(|columns: &BTreeSet<&str>| columns.contains(column))
        };
        let excess = schema.readable().filter(|readable| !is_needed(*readable));
        // It tells which transaction wrote a row, and comes with the right to read the table.
        excess
            .filter(|(_, column)| *column != "xmin")
            .map(|(table, column)| format!("{table}.{column}"))
            .collect()
    }

    /// The statements that give them to a role. Those on a partitioned table are good for its partitions, future
    /// ones too.
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

/// The SQL that makes a role which can do no more than the exporter needs, or takes from one that exists what it
/// has beyond that. In one transaction, so that an exporter at work notices nothing. The password is the
/// operator's to choose: none stands here to be pasted.
///
/// # Errors
/// Any failure of the database.
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
         -- What the network has swallowed ends after a minute and a half, or it would fill up the limit.\n\
         {}\
         GRANT CONNECT ON DATABASE {database} TO {role};\n\
         {grants}\n\
         {remedies}\
         COMMIT;",
        keepalives.concat()
    ))
}

/// `marie-exporter grants`: that SQL for the schema at hand. Any role that can connect will do, for everybody may
/// read the catalog.
///
/// # Errors
/// Where the database cannot be read, or holds no scheduler.
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
