//! `marie-exporter check`: connects as `serve` does, runs each query of the collectors once, and reports missing tables,
//! rights and indexes.
//!
//! The findings are a [`Report`] with the SQL that gives the rights and makes the indexes. `report` prints it as text;
//! `advice` writes the SQL of indexes; `grants` writes that of rights.

mod advice;
mod examiner;
mod report;

pub use self::advice::INDEX_PREFIX;
use serde::Serialize;
use sqlx::Row;

use self::examiner::Examiner;
use crate::collect::collectors::COLLECTORS;
use crate::config::{Config, ROLE};
use crate::inspect::grants::{self, Excess, Rights};
use crate::postgres::{Failure, Session};
use crate::schema::{Filter, Schema};

/// The findings. They contain no URL and no password.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Why the database could not be examined. The rest is empty or incomplete then.
    pub error: Option<String>,
    pub database: Option<Database>,
    pub collectors: Vec<CollectorReport>,
    /// SQL that gives the role the rights that it lacks; `None` if it lacks none.
    pub grants: Option<String>,
    /// SQL that makes missing indexes.
    pub advice: Vec<Advice>,
    /// Faults of a connection that works, such as missing encryption.
    pub warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct Database {
    pub name: String,
    pub server_version: String,
    pub in_recovery: bool,
    pub schema: String,
    /// `old`, `mid`, `new` or `page`; `none` if there is no job table.
    pub shape: &'static str,
    pub role: String,
    pub superuser: bool,
    /// Relations that are not used, and why.
    pub untrusted: Vec<String>,
    /// Views in place of tables. They may leave out rows.
    pub views: Vec<String>,
    /// Tables that row-level security filters for the role.
    pub filtered: Vec<String>,
    /// Tables of the schema that the role could change.
    pub writable: Vec<String>,
    /// Columns of the schema that the role could read and the exporter does not.
    pub readable_besides: Vec<String>,
    /// What else the role can do, the worst first.
    pub excess: Vec<String>,
    /// Functions that the role can run with the rights of another role.
    pub owner_functions: Vec<String>,
    /// What every role can do because it was granted to PUBLIC.
    pub through_public: Vec<String>,
    /// Whether everything in `excess` is a right to read.
    #[serde(skip)]
    only_reads: bool,
    /// SQL that creates a role with the rights that the exporter needs and no others.
    pub role_sql: String,
}

#[derive(Debug, Serialize)]
pub struct CollectorReport {
    pub name: &'static str,
    pub enabled: bool,
    pub queries: Vec<QueryReport>,
}

#[derive(Debug, PartialEq, Serialize)]
pub struct QueryReport {
    pub file: &'static str,
    pub outcome: Outcome,
    /// Whether the index that serves it exists; `None` if no index serves it.
    pub indexed: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Outcome {
    Ran {
        pace: &'static str,
        seconds: f64,
    },
    /// The shape has no such table or column. Nothing is wrong.
    NotHere {
        lacks: String,
    },
    Forbidden {
        lacks: String,
    },
    /// It would take more locks than one transaction of the exporter may hold.
    TooManyLocks {
        lacks: String,
    },
    /// The configuration does not request it.
    NotWanted,
    Failed {
        pace: &'static str,
        /// As in `marie_collector_failures_total`.
        reason: &'static str,
        error: String,
    },
}

/// An index that would serve a query.
#[derive(Debug, Serialize)]
pub struct Advice {
    pub file: &'static str,
    pub pace: &'static str,
    /// How long the query takes without it; `None` if it timed out.
    pub seconds: Option<f64>,
    pub sql: String,
}

impl Outcome {
    /// Whether the numbers of the query are missing until an operator does something.
    fn is_bad(&self) -> bool {
        matches!(self, Outcome::Forbidden { .. } | Outcome::TooManyLocks { .. } | Outcome::Failed { .. })
    }
}

impl Report {
    /// Returns 0 if all enabled collectors work, 1 if one does not, and 2 without a connection.
    pub fn exit_code(&self) -> u8 {
        let works = |collector: &CollectorReport| {
            let outcomes = || collector.queries.iter().map(|query| &query.outcome);
            !collector.enabled
                || outcomes().any(|outcome| matches!(outcome, Outcome::Ran { .. }))
                    && !outcomes().any(Outcome::is_bad)
        };
        match &self.error {
            Some(_) => 2,
            None => u8::from(!self.collectors.iter().all(works)),
        }
    }
}

/// Examines the database on one connection.
pub async fn check(config: &Config) -> Report {
    let mut report = Report {
        error: None,
        database: None,
        collectors: Vec::new(),
        grants: None,
        advice: Vec::new(),
        warnings: Vec::new(),
    };
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    if let Err(failure) = examine(config, &mut session, &mut report).await {
        report.error = Some(failure.message);
    }
    session.close().await;
    report.warnings = crate::postgres::warnings();
    report
}

async fn examine(config: &Config, session: &mut Session, report: &mut Report) -> Result<(), Failure> {
    let schema_name = config.database.schema.as_str();
    let mut run = session.begin().await?;
    let schema = Schema::read(&mut run, &config.database.schema).await?;
    let role = run.fetch_one(sqlx::query(include_str!("check/role.sql")).bind(schema_name)).await?;
    let role_name: String = role.try_get("role")?;
    let rights = Rights::needed(&schema);
    let superuser = role.try_get("superuser")?;
    // A superuser can do everything, so a list would not help.
    let excess = if superuser {
        Excess::default()
    } else {
        Excess::read(&mut run, &config.database.schema, &role_name).await?
    };
    report.database = Some(Database {
        role_sql: grants::role_sql(&mut run, &schema, &config.database.schema, ROLE).await?,
        name: role.try_get("database")?,
        server_version: schema.server_version.clone(),
        in_recovery: schema.in_recovery,
        schema: schema_name.to_owned(),
        shape: schema.shape(),
        role: role_name.clone(),
        superuser,
        excess: excess.rights,
        owner_functions: excess.functions,
        through_public: excess.through_public,
        only_reads: excess.is_reading,
        untrusted: schema.untrusted().map(ToString::to_string).collect(),
        views: schema.views().map(str::to_owned).collect(),
        filtered: schema.filters().map(ToString::to_string).collect(),
        writable: role.try_get("writable")?,
        readable_besides: rights.exceeded(&schema),
    });
    let partitions = advice::read_partitions(&mut run, schema_name).await?;
    session.finish(run, None).await;

    let mut examiner = Examiner::new(config, session, &schema);
    for collector in COLLECTORS {
        let mut found = examiner.examine(collector).await?;
        for (query, found) in collector.queries.iter().zip(&found.queries) {
            report.advice.extend(advice::advise(query, found, &schema, &partitions));
        }
        // A pass can fill several groups of families with the same outcome.
        found.queries.dedup();
        report.collectors.push(found);
    }
    let mut queries = report.collectors.iter().flat_map(|collector| &collector.queries);
    if queries.any(|query| matches!(query.outcome, Outcome::Forbidden { .. })) {
        let grants = rights.grants(&config.database.schema, &role_name);
        let remedies = Filter::remedies(schema.filters());
        report.grants = Some([grants, remedies].join("\n").trim_end().to_owned());
    }
    // An index that serves several queries is reported once, for the slowest of them.
    let cost = |advice: &Advice| advice.seconds.unwrap_or(f64::INFINITY);
    report.advice.sort_by(|one, other| one.sql.cmp(&other.sql).then(cost(other).total_cmp(&cost(one))));
    report.advice.dedup_by(|later, kept| later.sql == kept.sql);
    Ok(())
}
