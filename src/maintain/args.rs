//! The command line of `marie-exporter maintain`. Without `--execute` each command only prints what it would do.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::config::values::{self, YEAR};
use crate::config::{Leaf, Nothing};

/// A maintaining command with its arguments.
#[derive(Debug, Clone)]
pub enum Maintenance {
    Archive(ArchiveArgs),
    Purge(JobOutcome, PurgeArgs),
    PurgeHistory(PurgeHistoryArgs),
    PurgeAll(RemovalArgs),
    QueueCreate(QueueArgs),
    QueueSet(QueueArgs),
    Indexes(ExecutionArgs),
}

impl Maintenance {
    /// Returns whether the command may change the database.
    pub fn executes(&self) -> bool {
        let execution = match self {
            Maintenance::Archive(args) => args.removal.execution,
            Maintenance::Purge(_, args) => args.removal.execution,
            Maintenance::PurgeHistory(args) => args.removal.execution,
            Maintenance::PurgeAll(args) => args.execution,
            Maintenance::QueueCreate(args) | Maintenance::QueueSet(args) => args.execution,
            Maintenance::Indexes(execution) => *execution,
        };
        execution.execute
    }
}

/// How the jobs that a purge removes have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOutcome {
    Completed,
    Failed,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct ExecutionArgs {
    /// Make the changes; without this flag the command only prints what it would do
    #[arg(long)]
    pub execute: bool,
}

/// Arguments of every command that removes rows.
#[derive(Debug, Clone, Args)]
pub struct RemovalArgs {
    /// Back up the scheduler's schema to this file first, as `maintain backup` does
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(values::file))]
    pub backup_to: Option<PathBuf>,

    #[command(flatten)]
    pub execution: ExecutionArgs,
}

/// Size of the batches in which rows are removed, so that locks are short.
#[derive(Debug, Clone, Copy, Args)]
pub struct BatchArgs {
    /// Most rows in one transaction; a larger DAG is one transaction of its own
    #[arg(long, value_name = "ROWS", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch: u32,
}

#[derive(Debug, Clone, Args)]
pub struct ArchiveArgs {
    #[command(flatten)]
    pub age: AgeArgs,

    /// Archive single finished jobs, also from unfinished DAGs; jobs that waited for them will look unblocked, the
    /// DAG's progress shrinks, and empty DAGs stay behind
    #[arg(long)]
    pub per_job: bool,

    /// Replace rows of the archive whose job was reset and has run again; without this flag such a DAG is kept
    #[arg(long)]
    pub replace: bool,

    /// Drop the values of this column of job, for which the archive has no place; can be repeated
    #[arg(long, value_name = "COLUMN")]
    pub allow_dropping: Vec<String>,

    #[command(flatten)]
    pub batch: BatchArgs,
    #[command(flatten)]
    pub removal: RemovalArgs,
}

#[derive(Debug, Clone, Args)]
pub struct PurgeArgs {
    #[command(flatten)]
    pub age: AgeArgs,

    /// Delete single jobs in exactly this state, also from unfinished DAGs; jobs that waited for them will look
    /// unblocked, the DAG's progress shrinks, and empty DAGs stay behind
    #[arg(long)]
    pub per_job: bool,

    #[command(flatten)]
    pub batch: BatchArgs,
    #[command(flatten)]
    pub removal: RemovalArgs,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct AgeArgs {
    /// Take only what ended at least this long ago
    #[arg(long, value_name = "DURATION", value_parser = values::duration(Duration::ZERO, YEAR.saturating_mul(100)))]
    pub older_than: Duration,
}

#[derive(Debug, Clone, Args)]
pub struct PurgeHistoryArgs {
    #[command(flatten)]
    pub age: AgeArgs,
    #[command(flatten)]
    pub batch: BatchArgs,
    #[command(flatten)]
    pub removal: RemovalArgs,
}

/// A queue and its settings. A setting that is not given keeps its value, or the scheduler's default in a new queue.
#[derive(Debug, Clone, Args)]
pub struct QueueArgs {
    /// The queue's name
    #[arg(value_parser = values::queue)]
    pub name: String,

    /// How often a job is retried if it was submitted without a limit; jobs of the gateway have one
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    pub retry_limit: Option<i32>,

    /// Seconds until a job is retried
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(0..))]
    pub retry_delay: Option<i32>,

    /// Whether that time doubles with each retry
    #[arg(long, value_name = "BOOLEAN")]
    pub retry_backoff: Option<bool>,

    /// Seconds after which an active job expires
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(1..))]
    pub expire_seconds: Option<i32>,

    /// Minutes for which a finished job is kept
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(i32).range(1..))]
    pub retention_minutes: Option<i32>,

    #[command(flatten)]
    pub execution: ExecutionArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MaintainAction {
    #[command(flatten)]
    Change(ChangeAction),
    /// Write the scheduler's schema to a file with pg_dump
    Backup(Leaf<BackupArgs, Nothing>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChangeAction {
    /// Move the jobs of finished DAGs to the table archive, and delete the DAGs
    Archive(Leaf<ArchiveArgs, Nothing>),
    /// Delete finished DAGs and their jobs, or history
    #[command(subcommand)]
    Purge(PurgeAction),
    /// Create and change queues
    #[command(subcommand)]
    Queue(QueueAction),
    /// Create the indexes that `check` recommends, while other sessions read and write
    Indexes(Leaf<ExecutionArgs, Nothing>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PurgeAction {
    /// Delete DAGs in which every job was completed or skipped
    Completed(Leaf<PurgeArgs, Nothing>),
    /// Delete finished DAGs in which a job failed, expired or was cancelled
    Failed(Leaf<PurgeArgs, Nothing>),
    /// Delete old rows of job_history and dag_history
    History(Leaf<PurgeHistoryArgs, Nothing>),
    /// Empty the tables of jobs, DAGs, their histories and the workers' state; asks for the schema's name
    All(Leaf<RemovalArgs, Nothing>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueAction {
    /// Create a queue
    Create(Leaf<QueueArgs, Nothing>),
    /// Change a queue's settings; existing jobs and jobs of the gateway keep theirs
    Set(Leaf<QueueArgs, Nothing>),
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file, which must not exist yet
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(values::file))]
    pub(crate) to: PathBuf,
}
