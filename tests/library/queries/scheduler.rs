//! Runs collectors on one shape's tables in a separate schema, inside a single transaction with the settings of a run,
//! but writable.
//!
//! The transaction ends with a rollback. `now()` does not change in it, so that ages are exact.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use marie_exporter::cli::{self, Command};
use marie_exporter::collect::collector::{Collector, Context, QuerySamples};
use marie_exporter::collect::pace::{Pace, PassKind};
use marie_exporter::collect::pass::{Pass, fed_queries};
use marie_exporter::collect::queue_labels::{QueueInventory, QueueLabels};
use marie_exporter::collect::slice::SliceSize;
use marie_exporter::config::Config;
use marie_exporter::demo::shape::Shape;
use marie_exporter::metrics::Samples;
use marie_exporter::postgres::{Failure, Run, Session};
use marie_exporter::schema::Schema;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};
use tokio::sync::OnceCell;

use crate::support::databases::SERVER;

static DATABASE: OnceCell<String> = OnceCell::const_new();

pub(crate) struct Scheduler {
    pub(crate) shape: Shape,
    pub(crate) config: Config,
    /// Microseconds since 1970 at which this transaction began.
    pub(crate) now: i64,
    pub(crate) run: Run,
}

/// Values by series: the family's name and its label values.
pub(crate) type Series = BTreeMap<(&'static str, Vec<String>), f64>;

/// What a run knows before it queries: the schema and the published queues.
pub(crate) struct Seen {
    pub(crate) schema: Schema,
    pub(crate) queues: QueueLabels,
}

/// Returns the statement that sets the search path of a run, which installing a shape has changed.
fn search_path(config: &Config) -> String {
    format!("set local search_path = pg_catalog, {}, pg_temp", config.database.schema.quoted())
}

impl Scheduler {
    pub(crate) async fn new(shape: Shape) -> Self {
        static SCHEMAS: AtomicUsize = AtomicUsize::new(0);
        let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
        Self::in_schema(shape, &format!("{} {number}", shape.name())).await
    }

    /// Installs the shape in a new schema of this name.
    pub(crate) async fn in_schema(shape: Shape, schema: &str) -> Self {
        let url = DATABASE.get_or_init(async || SERVER.create_database("queries").await.unwrap()).await;
        let mut scheduler = Self::connect(url, shape, schema).await;
        let search_path = search_path(&scheduler.config);
        let quoted = scheduler.config.database.schema.quoted();
        scheduler.execute(&format!("create schema {quoted}; set search_path = {quoted}, pg_catalog")).await;
        for script in shape.ddl() {
            scheduler.execute(script).await;
        }
        scheduler.execute(&search_path).await;
        scheduler
    }

    /// Begins a transaction on a database that has this shape's tables or gets them later.
    pub(crate) async fn connect(url: &str, shape: Shape, schema: &str) -> Self {
        let config = config(url, schema);
        let mut run = Session::new(config.database.clone(), config.collectors.timeout).begin().await.unwrap();
        // The exporter's transaction has already read, so it can no longer become writable.
        let begin = format!(
            "rollback; begin isolation level repeatable read read write; {};
             set local max_parallel_workers_per_gather = 0; set local jit = off;
             set local plan_cache_mode = force_generic_plan",
            search_path(&config)
        );
        run.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await.unwrap();
        let now = sqlx::query("select (extract(epoch from now()) * 1000000)::int8");
        let now = run.fetch_one(now).await.unwrap().get(0);
        Scheduler { shape, config, now, run }
    }

    /// Runs a script of statements.
    pub(crate) async fn execute(&mut self, script: &str) {
        let statement = AssertSqlSafe(script.to_owned());
        let done = self.run.execute(sqlx::raw_sql(statement)).await;
        done.unwrap_or_else(|failure| panic!("{failure}\n{script}"));
    }

    /// Runs one query without parameters.
    pub(crate) async fn fetch(&mut self, query: &str) -> Vec<PgRow> {
        let statement = AssertSqlSafe(query.to_owned());
        let rows = self.run.fetch_all(sqlx::query(statement).persistent(false)).await;
        rows.unwrap_or_else(|failure| panic!("{failure}\n{query}"))
    }

    /// Returns the first column of a query's rows.
    pub(crate) async fn texts(&mut self, query: &str) -> Vec<String> {
        self.fetch(query).await.iter().map(|row| row.get(0)).collect()
    }

    /// Lets the server parse a statement, which it may reject.
    pub(crate) async fn try_prepare(&mut self, statement: sqlx::SqlStr) -> Result<(), Failure> {
        self.run.prepare(statement).await.map(drop)
    }

    pub(crate) async fn savepoint(&mut self) {
        self.execute("savepoint here").await;
    }

    /// Undoes everything since [`Scheduler::savepoint`], and drops the statements prepared since.
    pub(crate) async fn roll_back(&mut self) {
        self.execute("rollback to savepoint here").await;
        self.run.clear_cached_statements().await.unwrap();
    }

    pub(crate) async fn schema(&mut self) -> Schema {
        let name = self.config.database.schema.clone();
        let mut schema = Schema::read(&mut self.run, &name).await.unwrap();
        // Undivided statements are tested, however many partitions there are.
        schema.locks_allowed = u64::MAX;
        schema
    }

    pub(crate) async fn queues(&mut self, schema: &Schema) -> QueueLabels {
        let selection = self.config.queues.clone();
        let inventory = QueueInventory::read(&mut self.run, schema, &selection).await.unwrap();
        QueueLabels::read(&mut self.run, schema, &inventory, &selection).await.unwrap()
    }

    /// Returns no queues, as before the first inventory.
    pub(crate) fn no_queues(&self) -> QueueLabels {
        QueueLabels::new(BTreeSet::new(), &[], &self.config.queues)
    }

    /// Reads the schema and the published queues.
    pub(crate) async fn look(&mut self) -> Seen {
        let schema = self.schema().await;
        let queues = self.queues(&schema).await;
        Seen { schema, queues }
    }

    /// Runs a collector's queries of one pace and the pass that feeds it at this pace.
    pub(crate) async fn collect(
        &mut self,
        pace: Pace,
        collector: &Collector,
        seen: &Seen,
    ) -> Result<Vec<QuerySamples>, String> {
        let context = Context { config: &self.config, schema: &seen.schema, queues: &seen.queues };
        let mut answers = Vec::new();
        let collected = collector.collect(pace, &mut self.run, &context, &mut answers).await;
        collected.map_err(|failure| failure.message)?;
        let is_fed = |kind: &PassKind| {
            let mut fed = fed_queries(*kind, &self.config, &seen.schema);
            kind.pace() == pace && fed.any(|(fed, _)| fed.name == collector.name)
        };
        if let Some(kind) = PassKind::ALL.into_iter().find(is_fed) {
            answers.extend(self.pass(kind, collector, seen).await?);
        }
        Ok(answers)
    }

    /// Runs a pass to its end and returns what it feeds to each collector.
    pub(crate) async fn whole_pass(
        &mut self,
        kind: PassKind,
        slice: SliceSize,
        seen: &Seen,
    ) -> Result<Vec<(&'static Collector, QuerySamples)>, Failure> {
        let schema = Arc::new(seen.schema.clone());
        let mut pass = Pass::begin(kind, schema, seen.queues.clone(), slice);
        while !pass.step(&mut self.run, &self.config).await? {}
        Ok(pass.into_samples().collect())
    }

    /// Runs a pass to its end and returns what it feeds to a collector.
    pub(crate) async fn pass(
        &mut self,
        kind: PassKind,
        collector: &Collector,
        seen: &Seen,
    ) -> Result<Option<QuerySamples>, String> {
        let fed = self.whole_pass(kind, kind.first_slice(), seen).await.map_err(|failure| failure.message)?;
        Ok(fed.into_iter().find(|(fed, _)| fed.name == collector.name).map(|(_, samples)| samples))
    }

    /// Runs a pass to its end. Returns what it feeds to each collector and the number of slices, or the message of the
    /// first failure.
    pub(crate) async fn try_pass(
        &mut self,
        kind: PassKind,
        slice: SliceSize,
        seen: &Seen,
    ) -> Result<(Vec<(&'static Collector, QuerySamples)>, usize), String> {
        let schema = Arc::new(seen.schema.clone());
        let mut pass = Pass::begin(kind, schema, seen.queues.clone(), slice);
        let mut slices = 1;
        while !pass.step(&mut self.run, &self.config).await.map_err(|failure| failure.message)? {
            slices += 1;
        }
        Ok((pass.into_samples().collect(), slices))
    }

    /// Runs a collector at all paces and returns the merged series.
    pub(crate) async fn series(&mut self, collector: &Collector) -> Series {
        let seen = self.look().await;
        self.series_of(collector, &seen).await
    }

    pub(crate) async fn series_of(&mut self, collector: &Collector, seen: &Seen) -> Series {
        let mut answers = Vec::new();
        for pace in Pace::ALL.into_iter().filter(|pace| *pace != Pace::Events) {
            answers.extend(self.collect(pace, collector, seen).await.unwrap());
        }
        let series = |samples: &Samples| -> Vec<_> {
            let family = samples.family.name;
            samples.iter().map(|(labels, value)| ((family, labels.to_vec()), value.number())).collect()
        };
        QuerySamples::merged(&answers).iter().flat_map(series).collect()
    }
}

/// Returns the default configuration for this database and schema.
pub(crate) fn config(url: &str, schema: &str) -> Config {
    let arguments = ["marie-exporter", "serve", "--database-url", url, "--database.schema", schema];
    // DDL on a busy machine may take longer than the default time-out of a query.
    let arguments = arguments.iter().chain(&["--collector.timeout", "2m"]).map(OsString::from);
    match cli::parse(arguments, |_| None, &[]) {
        Ok(Command::Serve(config)) => config,
        other => panic!("not serve: {other:?}"),
    }
}
