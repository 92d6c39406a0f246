//! The reading commands as typed: which jobs, queues or DAGs a person wants to see, and how to print them. Settings
//! of the database and the thresholds stand beside these, as for `serve`.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use sqlx::types::Uuid;

use crate::config::timezone::timezone;
use crate::config::values::{self, SECOND, YEAR};
use crate::config::{Leaf, Nothing};

/// What to look at, and how to print it.
#[derive(Debug, Clone)]
pub enum Reading {
    JobsList(JobsList, Output),
    JobsShow(JobsShow, ShowOutput),
    JobsStuck(OfQueue, Output),
    JobsFailed(JobsFailed, Output),
    JobsRetrying(OfQueue, Output),
    JobsNext(JobsNext, Output),
    JobsOverdue(JobsOverdue, Output),
    QueuesList(Output),
    DagsList(DagsList, Output),
    DagsShow(DagsShow, ShowOutput),
    Stats(Stats, Output),
}

/// How a list is printed.
#[derive(Debug, Clone, Args)]
pub struct Output {
    /// How to print the rows
    #[arg(long, default_value = "table")]
    pub format: OutputFormat,

    /// Print at most this many rows
    #[arg(long = "limit", id = "rows", value_name = "NUMBER", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,

    /// Which so many rows: 1 for the first, 2 for those behind them
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub page: u32,

    #[command(flatten)]
    pub times: Times,
}

/// How times are printed.
#[derive(Debug, Clone, Args)]
pub struct Times {
    /// Time zone of the times: a name such as Europe/Berlin, or an offset such as +05:30
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = timezone)]
    pub timezone: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Table,
    Json,
    Csv,
    /// CSV with an apostrophe before each text that a spreadsheet would take for a formula
    CsvSpreadsheet,
}

/// How one thing is printed with all that belongs to it.
#[derive(Debug, Clone, Args)]
pub struct ShowOutput {
    /// How to print it
    #[arg(long, default_value = "table")]
    pub format: ShowFormat,

    #[command(flatten)]
    pub times: Times,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    Table,
    Json,
}

#[derive(Debug, Clone, Args)]
pub struct JobsList {
    /// Only jobs in this state; can be repeated
    #[arg(long, value_name = "STATE")]
    pub state: Vec<String>,

    #[command(flatten)]
    pub of: OfQueue,

    /// Only jobs of this DAG
    #[arg(long = "dag", id = "of-dag", value_name = "ID", value_parser = values::id)]
    pub dag: Option<Uuid>,

    /// Only jobs whose data->metadata has this value under this key; can be repeated, then all of them must hold
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::pair)]
    pub metadata: Vec<(String, String)>,

    /// Only jobs created within this time before now
    #[arg(long, value_name = "DURATION", value_parser = values::duration(SECOND, YEAR))]
    pub since: Option<Duration>,
}

#[derive(Debug, Clone, Args)]
pub struct OfQueue {
    /// Only of this queue
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct JobsShow {
    /// The job's id
    #[arg(value_parser = values::id)]
    pub id: Uuid,

    /// Print data and output as well, which the exporter's own role may not read
    #[arg(long)]
    pub payload: bool,
}

#[derive(Debug, Clone, Args)]
pub struct JobsFailed {
    #[command(flatten)]
    pub of: OfQueue,

    /// Only jobs that failed within this time before now
    #[arg(long, value_name = "DURATION", value_parser = values::duration(SECOND, YEAR))]
    pub since: Option<Duration>,
}

#[derive(Debug, Clone, Args)]
pub struct JobsNext {
    #[command(flatten)]
    pub of: OfQueue,

    /// Only jobs of this DAG
    #[arg(long = "dag", id = "of-dag", value_name = "ID", value_parser = values::id)]
    pub dag: Option<Uuid>,

    /// The next job of each DAG instead of all that are ready
    #[arg(long)]
    pub per_dag: bool,
}

#[derive(Debug, Clone, Args)]
pub struct JobsOverdue {
    #[command(flatten)]
    pub of: OfQueue,

    /// Which promise was broken
    #[arg(long, default_value = "hard")]
    pub sla: Sla,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sla {
    Hard,
    Soft,
}

impl Sla {
    /// As in the label `sla`.
    pub fn label(self) -> &'static str {
        match self {
            Sla::Hard => "hard",
            Sla::Soft => "soft",
        }
    }
}

#[derive(Debug, Clone, Args)]
pub struct DagsList {
    /// Only DAGs in this state; can be repeated
    #[arg(long, value_name = "STATE")]
    pub state: Vec<String>,

    /// Only DAGs of this planner
    #[arg(long, value_name = "NAME")]
    pub planner: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct DagsShow {
    /// The DAG's id
    #[arg(value_parser = values::id)]
    pub id: Uuid,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsAction {
    /// Jobs, newest first: by their ids, which tell the time in Marie
    List(Leaf<JobsList, Output>),
    /// One job: its fields, what it waits for, what waits for it, and how it came to its state
    Show(Leaf<JobsShow, ShowOutput>),
    /// Active jobs past their queue's threshold, those that marie_jobs_stuck counts; longest first
    Stuck(Leaf<OfQueue, Output>),
    /// Jobs that failed or expired for good, latest first
    Failed(Leaf<JobsFailed, Output>),
    /// Jobs that wait for their next attempt, soonest first
    Retrying(Leaf<OfQueue, Output>),
    /// Unfinished jobs past an SLA, those that marie_jobs_sla_overdue counts; longest first
    Overdue(Leaf<JobsOverdue, Output>),
    /// Jobs that a worker could take now, those that marie_jobs_ready counts; the next one first
    Next(Leaf<JobsNext, Output>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueuesAction {
    /// Queues with their settings and their unfinished jobs
    List(Leaf<Nothing, Output>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DagsAction {
    /// DAGs, newest first: by their ids, which tell the time in Marie
    List(Leaf<DagsList, Output>),
    /// One DAG: its progress, its critical path, what blocks it
    Show(Leaf<DagsShow, ShowOutput>),
}

#[derive(Debug, Clone, Args)]
pub struct Stats {
    /// What to count instead of jobs by queue and state
    pub what: Option<Statistic>,

    #[command(flatten)]
    pub of: OfQueue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Statistic {
    /// Jobs completed in each of the last 24 hours
    Throughput,
    /// Retried jobs by queue
    Retries,
}
