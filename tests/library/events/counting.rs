//! The event counter of one exporter, run by the test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use marie_exporter::cli::{self, Command};
use marie_exporter::collect::collector::Context;
use marie_exporter::collect::events::EventCounter;
use marie_exporter::collect::queue_labels::{QueueInventory, QueueLabels};
use marie_exporter::config::Config;
use marie_exporter::metrics::Value;
use marie_exporter::postgres::{Connection, Failure, Session};
use marie_exporter::schema::Schema;

use crate::support::databases::Database;

/// Published values by family and label values.
pub(crate) type Series = BTreeMap<(&'static str, Vec<String>), Value>;

pub(crate) struct Counting {
    pub(crate) config: Config,
    pub(crate) counter: EventCounter,
    /// Whether the results of the last run count as scraped.
    pub(crate) is_scraped: bool,
    /// The monotonic time of the process.
    pub(crate) now: tokio::time::Instant,
    session: Session,
    /// Whether only the first run reads schema and queues, as an exporter does within a minute.
    keeps_schema: bool,
    schema: Option<(Schema, QueueLabels)>,
}

/// Bounds that some durations in the tests equal exactly.
pub(crate) const BUCKETS: &str = "100ms,1s,1m";

pub(crate) fn config(url: &str, flags: &[&str]) -> Config {
    let bounds = ["wait", "run", "dag"].map(|kind| format!("--events.buckets.{kind}={BUCKETS}"));
    let fixed = ["marie-exporter", "serve", "--database-url", url];
    // Without the hold, tests need not wait for new series.
    let is_held = flags.iter().any(|flag| flag.starts_with("--events.new-series-hold"));
    let hold = (!is_held).then_some("--events.new-series-hold=0s");
    let arguments =
        fixed.into_iter().chain(bounds.iter().map(String::as_str)).chain(hold).chain(flags.iter().copied());
    match cli::parse(arguments.map(Into::into), |_| None, &[]) {
        Ok(Command::Serve(config)) => config,
        other => panic!("not serve: {other:?}"),
    }
}

impl Counting {
    /// Starts without a state file; events that are already committed are not counted.
    pub(crate) async fn start(database: &Database) -> Self {
        Self::start_with(database, &[]).await
    }

    pub(crate) async fn start_with(database: &Database, flags: &[&str]) -> Self {
        let mut counting = Self::new(config(&database.url, flags));
        counting.run().await.unwrap();
        counting
    }

    /// Creates a counter as a new process does, before its first run.
    pub(crate) fn new(config: Config) -> Self {
        let counter = EventCounter::new(&config).unwrap();
        let session = Session::new(config.database.clone(), config.collectors.timeout);
        let now = tokio::time::Instant::now();
        Counting { counter, session, config, is_scraped: true, now, keeps_schema: false, schema: None }
    }

    /// Reads schema and queues once, for tests that change neither tables nor queues.
    pub(crate) fn keeping_schema(self) -> Self {
        Counting { keeps_schema: true, ..self }
    }

    /// Replaces the counter as a restart of the process does.
    pub(crate) fn restart(&mut self) {
        *self = Counting { keeps_schema: self.keeps_schema, ..Self::new(self.config.clone()) };
    }

    pub(crate) async fn run(&mut self) -> Result<Series, Failure> {
        let mut run = self.session.begin().await?;
        let (schema, queues) = match self.schema.take() {
            Some(cached) => cached,
            None => read_schema(&mut run, &self.config).await?,
        };
        let context = Context { config: &self.config, schema: &schema, queues: &queues };
        let first_scrape = self.is_scraped.then_some(self.now);
        let answer = self.counter.collect(&mut run, &context, first_scrape, self.now).await;
        self.session.finish(run, answer.as_ref().err()).await;
        self.schema = self.keeps_schema.then_some((schema, queues));
        let samples = answer?.samples;
        let series = samples.iter().flat_map(|samples| {
            let family = samples.family.name;
            samples.iter().map(move |(labels, value)| ((family, labels.to_vec()), value.clone()))
        });
        Ok(series.collect())
    }

    /// Runs the counter until `wanted` returns a value for a result.
    pub(crate) async fn run_until<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(Result<Series, Failure>) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = wanted(self.run().await) {
                return found;
            }
            assert!(Instant::now() < deadline, "no run within {PATIENCE:?}: {what}");
        }
    }

    /// Runs the counter until all committed events are counted and scraped; returns the published series.
    ///
    /// Writing transactions in other databases of the server delay counting as well.
    pub(crate) async fn settle(&mut self, database: &mut Database) -> Series {
        let now = database.clock().await;
        let deadline = Instant::now() + PATIENCE;
        self.is_scraped = true;
        while counted_until(&self.run().await.unwrap()) <= now {
            assert!(Instant::now() < deadline, "the events are not counted within {PATIENCE:?}");
        }
        self.run().await.unwrap()
    }
}

async fn read_schema(run: &mut Connection, config: &Config) -> Result<(Schema, QueueLabels), Failure> {
    let schema = Schema::read(run, &config.database.schema).await?;
    let inventory = QueueInventory::default();
    let queues = QueueLabels::read(run, &schema, &inventory, &config.queues).await?;
    Ok((schema, queues))
}

/// Makes the job of the queue `extract` active and then completes it.
pub(crate) const FINISH: &str = "update job set state = 'active', completed_on = null where name = 'extract';
     update job set state = 'completed', completed_on = now() where name = 'extract'";

const UNTIL: &str = "marie_events_counted_until_timestamp_seconds";

pub(crate) fn counted_until(series: &Series) -> f64 {
    series[&(UNTIL, Vec::new())].number()
}

/// Returns the value of one series; `None` if it is absent.
pub(crate) fn value(series: &Series, family: &'static str, labels: &[&str]) -> Option<f64> {
    let labels = labels.iter().map(ToString::to_string).collect();
    series.get(&(family, labels)).map(Value::number)
}

/// Returns the sum over a family's series.
pub(crate) fn sum(series: &Series, family: &str) -> f64 {
    series.iter().filter(|((name, _), _)| *name == family).map(|(_, value)| value.number()).sum()
}

/// Describes a series that fell or disappeared; `None` if there is none.
pub(crate) fn falls(before: &Series, now: &Series) -> Option<String> {
    let falls = |(key, old): (&(&'static str, Vec<String>), &Value)| {
        let new = now.get(key).map_or(-1.0, Value::number);
        (new < old.number()).then(|| format!("{key:?} fell from {} to {new}", old.number()))
    };
    before.iter().find_map(falls)
}

/// Folder for state files, removed when dropped.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("events.json")
    }

    pub(crate) fn flag(&self) -> String {
        format!("--state-file={}", self.file().display())
    }

    /// Changes the contents of the state file.
    pub(crate) fn change(&self, change: impl FnOnce(&mut serde_json::Value)) {
        let mut saved: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap();
        change(&mut saved);
        std::fs::write(self.file(), serde_json::to_vec(&saved).unwrap()).unwrap();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Longest wait for a condition, on a loaded machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

impl Database {
    /// Returns the Unix time of the database's clock.
    pub(crate) async fn clock(&mut self) -> f64 {
        let clock = sqlx::query_scalar("select extract(epoch from clock_timestamp())::float8");
        clock.fetch_one(&mut self.admin).await.unwrap()
    }
}
