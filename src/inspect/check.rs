//! `marie-exporter check`: connects as `serve` would, runs each query once, and tells what is missing: a
//! table, a right, an index. Says how to mend it in SQL that can be pasted. The findings are a [`Report`];
//! `report` prints it.

mod advice;
mod report;

use std::time::{Duration, Instant};

pub use self::advice::INDEX_PREFIX;
use serde::Serialize;
use sqlx::Row;

use crate::collect::collector::{Collector, Context, Query};
use crate::collect::collectors::COLLECTORS;
use crate::collect::division;
use crate::collect::queue_labels::{QueueInventory, QueueLabels};
use crate::config::{Config, ROLE};
use crate::inspect::grants::{self, Excess, Rights};
use crate::postgres::{Failure, Reason, Run, Session};
use crate::schema::{Filter, Lack, Schema};

/// What was found. Everything in it can be shown to anybody: no URL, no password.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Why the database could not be looked at, if so; the rest is empty then.
    pub error: Option<String>,
    pub database: Option<Database>,
    pub collectors: Vec<CollectorReport>,
    /// SQL that gives the role the rights it lacks, if any.
    pub grants: Option<String>,
    /// SQL that makes missing indexes.
    pub advice: Vec<Advice>,
    /// What should be changed about the connection although it works.
    pub warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct Database {
    pub name: String,
    pub server_version: String,
    pub in_recovery: bool,
    pub schema: String,
    /// old, mid, new, page, or none where there is no job table.
    pub shape: &'static str,
    pub role: String,
    pub superuser: bool,
    /// Relations that are not used, and why.
    pub untrusted: Vec<String>,
    /// Views in place of tables: which rows they leave out is not known.
    pub views: Vec<String>,
    /// Tables that row-level security filters for the role.
    pub filtered: Vec<String>,
    /// Tables of the schema that the role could change.
    pub writable: Vec<String>,
    /// Columns of the schema that the role could read and the exporter does not.
    pub readable_besides: Vec<String>,
    /// What the role can do besides, the worst first.
    pub excess: Vec<String>,
    /// Functions that the role can run with the rights of another one.
    pub owner_functions: Vec<String>,
    /// What every role can do because it was granted to PUBLIC.
    pub through_public: Vec<String>,
    /// Whether everything in `excess` is a right to read.
    #[serde(skip)]
    only_reads: bool,
    /// SQL that makes a role which can do no more than the exporter needs.
    pub role_sql: String,
}

#[derive(Debug, Serialize)]
pub struct CollectorReport {
    pub name: &'static str,
    pub enabled: bool,
    pub queries: Vec<QueryReport>,
}

#[derive(Debug, Serialize)]
pub struct QueryReport {
    pub file: &'static str,
    pub outcome: Outcome,
    /// Whether an index serves it; none where no index could.
    pub indexed: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Outcome {
    Ran {
        lane: &'static str,
        seconds: f64,
    },
    /// The schema is of a shape that has no such thing; nothing to mend.
    NotHere {
        lacks: String,
    },
    Forbidden {
        lacks: String,
    },
    /// It would take more of the server's locks than one transaction of ours may hold.
    TooManyLocks {
        lacks: String,
    },
    /// The configuration does not ask for it.
    NotWanted,
    Failed {
        lane: &'static str,
        /// As in `marie_collector_failures_total`.
        reason: &'static str,
        error: String,
    },
}

/// An index that would serve a query.
#[derive(Debug, Serialize)]
pub struct Advice {
    pub file: &'static str,
    /// Where the query runs without it.
    pub lane: &'static str,
    /// What it takes there; none where it did not end in time.
    pub seconds: Option<f64>,
    pub sql: String,
}

impl Outcome {
    /// Whether the operator has to do something, or the query's numbers are missing.
    fn is_bad(&self) -> bool {
        matches!(self, Outcome::Forbidden { .. } | Outcome::TooManyLocks { .. } | Outcome::Failed { .. })
    }
}

impl Report {
    /// 0 all good, 1 a collector cannot do its work, 2 no connection.
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

/// Looks at the database once, on one connection.
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
    if let Err(failure) = look(config, &mut session, &mut report).await {
        report.error = Some(failure.message);
    }
    session.close().await;
    report.warnings = crate::postgres::warnings();
    report
}

async fn look(config: &Config, session: &mut Session, report: &mut Report) -> Result<(), Failure> {
    let schema_name = config.database.schema.as_str();
    let mut run = session.begin().await?;
    let schema = Schema::read(&mut run, &config.database.schema).await?;
    let role = run.fetch_one(sqlx::query(include_str!("check/role.sql")).bind(schema_name)).await?;
    let role_name: String = role.try_get("role")?;
    let rights = Rights::needed(&schema);
    let superuser = role.try_get("superuser")?;
    // A superuser can do everything; a list of it would tell nothing.
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
    let partitions = advice::partitions(&mut run, schema_name).await?;
    session.finish(run, None).await;

    for collector in COLLECTORS {
        let found = examine(config, session, &schema, collector).await?;
        for (query, found) in collector.queries.iter().zip(&found.queries) {
            report.advice.extend(advice::index(query, found, &schema, &partitions));
        }
        report.collectors.push(found);
    }
    let mut queries = report.collectors.iter().flat_map(|collector| &collector.queries);
    if queries.any(|query| matches!(query.outcome, Outcome::Forbidden { .. })) {
        let grants = rights.grants(&config.database.schema, &role_name);
        let remedies = Filter::remedies(schema.filters());
        report.grants = Some([grants, remedies].join("\n").trim_end().to_owned());
    }
    // One index can serve several queries; it is told once, for the query that suffers most.
    let cost = |advice: &Advice| advice.seconds.unwrap_or(f64::INFINITY);
    report.advice.sort_by(|one, other| one.sql.cmp(&other.sql).then(cost(other).total_cmp(&cost(one))));
    report.advice.dedup_by(|later, kept| later.sql == kept.sql);
    Ok(())
}

/// Runs each query of a collector in a transaction of its own, so that one failure does not hide the others.
async fn examine(
    config: &Config,
    session: &mut Session,
    schema: &Schema,
    collector: &'static Collector,
) -> Result<CollectorReport, Failure> {
    let enabled = config.collectors.is_enabled(collector.name);
    let mut queries = Vec::new();
    for query in collector.queries {
        let outcome = attempt(config, session, schema, query).await?;
        let indexed = query.index.map(|index| schema.has_index(&index));
        queries.push(QueryReport { file: query.sql.name, outcome, indexed });
    }
    Ok(CollectorReport { name: collector.name, enabled, queries })
}

/// Fails only where the database is gone: then the other queries would tell nothing either.
async fn attempt(
    config: &Config,
    session: &mut Session,
    schema: &Schema,
    query: &'static Query,
) -> Result<Outcome, Failure> {
    if !(query.wanted)(config) {
        return Ok(Outcome::NotWanted);
    }
    match query.lack(schema) {
        Some(Lack::Missing(lacks)) => return Ok(Outcome::NotHere { lacks }),
        Some(Lack::Permission(lacks)) => return Ok(Outcome::Forbidden { lacks }),
        Some(Lack::Filtered(filter)) => {
            return Ok(Outcome::Forbidden { lacks: format!("all of table {} ({filter})", filter.relation) });
        }
        Some(Lack::Locks(lacks)) => return Ok(Outcome::TooManyLocks { lacks }),
        None => {}
    }
    let lane = query.lane(schema).label();
    match time(config, session, schema, query).await {
        Ok(took) => Ok(Outcome::Ran { lane, seconds: took.as_secs_f64() }),
        Err(failure) if failure.reason == Reason::Unavailable => Err(failure),
        Err(Failure { reason, message: error }) => {
            Ok(Outcome::Failed { lane, reason: reason.label(), error })
        }
    }
}

/// How long the query takes here.
async fn time(
    config: &Config,
    session: &mut Session,
    schema: &Schema,
    query: &'static Query,
) -> Result<Duration, Failure> {
    let mut run = session.begin().await?;
    let queues = known_queues(config, &mut run, schema).await;
    session.finish(run, queues.as_ref().err()).await;
    let queues = queues?;
    let context = Context { config, schema, queues: &queues };
    let started = Instant::now();
    division::fetch(session, query, &context).await?.parts?;
    Ok(started.elapsed())
}

async fn known_queues(config: &Config, run: &mut Run, schema: &Schema) -> Result<QueueLabels, Failure> {
    schema.permit_policies(run).await?;
    QueueLabels::read(run, schema, &QueueInventory::default(), &config.queues).await
}
