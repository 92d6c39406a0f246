//! The settings, as one validated [`Config`].
//!
//! Input: flags, environment variables, a YAML file and defaults, in this order of precedence; [`crate::cli`] merges them.
//! Each setting is one field. Its attribute declares the flag, the default, the parser and the help. The names of the
//! environment variable and of the key in the file follow from the flag. Other modules do not check values again.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod command;
pub(crate) mod connection;
mod connection_uri;
pub(crate) mod database;
mod database_url;
pub(crate) mod error;
pub(crate) mod file;
mod hosts;
mod keywords;
mod password_file;
pub(crate) mod sources;
pub(crate) mod timezone;
mod tls_files;
pub(crate) mod values;
mod web;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PathBufValueParser, PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use regex::Regex;

pub(crate) use self::command::{Leaf, Nothing, Settings};
pub use self::connection::{Server, ServerRole, Target};
pub use self::database::{DatabaseConfig, ROLE, SchemaName, quote_identifier};
pub use self::database_url::{DatabaseUrl, DatabaseUrlError, Secret};
pub use self::error::{ConfigError, Origin};
use self::values::{DAY, HOUR, MILLISECOND, WEEK, YEAR};
pub use self::web::WebConfig;
pub use crate::http::listen_address::ListenAddress;

/// The settings that all commands share.
#[derive(Debug, Clone, Args)]
pub struct Config {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub web: WebConfig,
    #[command(flatten)]
    pub log: LogConfig,
    #[command(flatten)]
    pub collectors: CollectorsConfig,

    /// A job active for longer than this is stuck; the file can set it for each queue
    #[arg(long = "stuck.after", help_heading = "Thresholds", value_name = "DURATION",
          default_value = "1h", value_parser = values::duration(MILLISECOND, YEAR))]
    pub stuck_after: Duration,

    /// Thresholds by queue, which only the file can set. Other queues have `stuck_after`.
    #[arg(skip)]
    pub stuck_after_by_queue: BTreeMap<String, Duration>,

    /// An unfinished job whose SLA ends within this time is due soon
    #[arg(long = "sla.due-soon", help_heading = "Thresholds", value_name = "DURATION",
          default_value = "15m", value_parser = values::duration(Duration::ZERO, YEAR))]
    pub sla_due_soon: Duration,

    /// Publish the progress of this many running DAGs, one series each; 0 for none
    #[arg(long = "dags.progress-limit", help_heading = "Series", value_name = "NUMBER", default_value = "0")]
    pub dags_progress_limit: u32,

    #[command(flatten)]
    pub queues: QueuesConfig,
    #[command(flatten)]
    pub events: EventsConfig,
}

/// What is logged to standard error.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogConfig {
    /// Log this level and those above it
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info",
          value_parser = PossibleValuesParser::new(["error", "warn", "info", "debug", "trace"])
              .try_map(|level| level.parse::<tracing::Level>()))]
    pub level: tracing::Level,

    /// Format of the log lines
    #[arg(long = "log.format", id = "log.format", value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// Which collectors run, how often, and how much time of the database they may use.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Collectors")]
pub struct CollectorsConfig {
    /// Names of the collectors that are switched off.
    #[arg(skip)]
    pub disabled: BTreeSet<String>,

    /// Time between two runs at the paces pulse (active jobs), events and backlog (unfinished jobs)
    #[arg(long = "collector.interval", value_name = "DURATION", default_value = "15s",
          value_parser = values::duration(MILLISECOND, DAY))]
    pub interval: Duration,

    /// Time between two runs at the pace history (finished jobs)
    #[arg(long = "collector.slow-interval", value_name = "DURATION", default_value = "5m",
          value_parser = values::duration(MILLISECOND, WEEK))]
    pub slow_interval: Duration,

    /// The database cancels a statement after this time, those of serve after one second at most
    // Below one millisecond, PostgreSQL's statement_timeout would be 0, which means without limit.
    #[arg(long = "collector.timeout", value_name = "DURATION", default_value = "10s",
          value_parser = values::duration(MILLISECOND, HOUR))]
    pub timeout: Duration,

    // From above 0 to 1, not in percent.
    /// Largest share of one core that all statements of this process together may use; intervals grow
    /// accordingly
    #[arg(long = "collector.load-budget", value_name = "SHARE", default_value = "1%",
          value_parser = values::ratio)]
    pub load_budget: f64,

    /// Withdraw a collector's samples when its last success is older than this
    #[arg(long = "collector.stale-after", value_name = "DURATION", default_value = "5m",
          value_parser = values::duration(MILLISECOND, WEEK))]
    pub stale_after: Duration,
}

impl CollectorsConfig {
    /// Returns the pause that the load budget requires after a run that kept the database busy for this time.
    pub fn pause_after(&self, busy: Duration) -> Duration {
        // A tiny budget requires more than a Duration can hold. One run a week costs next to nothing.
        let pause = Duration::try_from_secs_f64(busy.as_secs_f64() / self.load_budget);
        pause.map_or(WEEK, |pause| pause.min(WEEK))
    }

    /// Returns how long samples live after a successful run, at this interval in force.
    pub fn lifetime(&self, interval: Duration) -> Duration {
        self.stale_after.max(interval.saturating_mul(3))
    }

    /// Whether the collector of this name runs.
    pub fn is_enabled(&self, collector: &str) -> bool {
        !self.disabled.contains(collector)
    }
}

/// Which queues have series of their own.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Series")]
pub struct QueuesConfig {
    /// Publish at most this many queues
    #[arg(long = "queues.limit", value_name = "NUMBER", default_value = "200",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub limit: usize,

    /// Publish only the queues whose whole name matches
    #[arg(long = "queues.include", value_name = "REGEX", value_parser = values::anchored_regex)]
    pub include: Option<Regex>,

    /// Leave out the queues whose whole name matches
    #[arg(long = "queues.exclude", value_name = "REGEX", value_parser = values::anchored_regex)]
    pub exclude: Option<Regex>,
}

impl QueuesConfig {
    /// Whether `include` and `exclude` select this queue. The caller applies the limit.
    pub fn selects(&self, queue: &str) -> bool {
        self.include.as_ref().is_none_or(|regex| regex.is_match(queue))
            && !self.exclude.as_ref().is_some_and(|regex| regex.is_match(queue))
    }
}

/// How events are counted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Events")]
pub struct EventsConfig {
    /// Save the counts of the events collector to this file, so that a restart continues them
    #[arg(long = "state-file", value_name = "FILE",
          value_parser = PathBufValueParser::new().try_map(values::file))]
    pub state_file: Option<PathBuf>,

    /// Publish a new series as 0, and one of the state file with its saved value, until its first scrape and for
    /// this time after it; set at least twice the longest scrape interval
    #[arg(long = "events.new-series-hold", value_name = "DURATION", default_value = "2m",
          value_parser = values::duration(Duration::ZERO, DAY))]
    pub new_series_hold: Duration,

    /// Upper bounds of the buckets of marie_job_wait_seconds
    #[arg(long = "events.buckets.wait", value_name = "DURATIONS",
          default_value = DEFAULT_BUCKETS, value_parser = values::buckets)]
    pub wait: Buckets,

    /// Upper bounds of the buckets of marie_job_run_seconds and marie_job_turnaround_seconds
    #[arg(long = "events.buckets.run", value_name = "DURATIONS",
          default_value = DEFAULT_BUCKETS, value_parser = values::buckets)]
    pub run: Buckets,

    /// Upper bounds of the buckets of marie_dag_run_seconds
    #[arg(long = "events.buckets.dag", value_name = "DURATIONS",
          default_value = DEFAULT_BUCKETS, value_parser = values::buckets)]
    pub dag: Buckets,
}

const DEFAULT_BUCKETS: &str = "100ms,300ms,1s,3s,10s,30s,1m,2m,5m,10m,30m,1h,2h,4h,12h,1d";

/// Upper bounds of a histogram's buckets, ascending.
#[derive(Clone, PartialEq, Eq)]
pub struct Buckets(pub Vec<Duration>);

impl std::fmt::Debug for Buckets {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // On one line also in the alternate form, in which each bound would have its own.
        write!(to, "{:?}", self.0)
    }
}

/// What the demo simulates.
#[cfg(feature = "demo")]
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Demo")]
pub struct DemoConfig {
    /// New jobs a second
    #[arg(long = "demo.rate", value_name = "NUMBER", default_value = "5",
          value_parser = values::rate)]
    pub rate: f64,
}

/// Output for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// Format of the table of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MetricsFormat {
    Markdown,
    Json,
}
