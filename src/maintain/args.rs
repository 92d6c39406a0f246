//! The maintaining commands as typed. Without `--execute` each of them only says what it would do.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::config::values::{self, YEAR};
use crate::config::{Leaf, Nothing};

/// What to do to the scheduler's tables.
#[derive(Debug, Clone)]
pub enum Maintenance {
    Archive(Archive),
    Purge(Outcome, Purge),
    PurgeHistory(PurgeHistory),
    PurgeAll(Destruction),
    QueueCreate(Queue),
    QueueSet(Queue),
    Indexes(Execution),
}

impl Maintenance {
    /// Whether it is to change anything in the database.
    pub fn executes(&self) -> bool {
        let execution = match self {
            Maintenance::Archive(asked) => asked.destruction.execution,
            Maintenance::Purge(_, asked) => asked.destruction.execution,
            Maintenance::PurgeHistory(asked) => asked.destruction.execution,
            Maintenance::PurgeAll(asked) => asked.execution,
            Maintenance::QueueCreate(asked) | Maintenance::QueueSet(asked) => asked.execution,
            Maintenance::Indexes(execution) => *execution,
        };
        execution.execute
    }
}

/// How the jobs ended that are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    Failed,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Execution {
    /// Do it; without this flag it is only said what would be done
    #[arg(long)]
    pub execute: bool,
}

/// What every command has that takes rows away.
#[derive(Debug, Clone, Args)]
pub struct Destruction {
    /// Back up the scheduler's schema into this file first, as `maintain backup` does
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(values::file))]
    pub backup_to: Option<PathBuf>,

    #[command(flatten)]
    pub execution: Execution,
}

/// How rows are taken in parts, so that locks are short.
#[derive(Debug, Clone, Copy, Args)]
pub struct Batches {
    /// Rows in one transaction, or a whole DAG where it has more
    #[arg(long, value_name = "ROWS", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch: u32,
}

#[derive(Debug, Clone, Args)]
pub struct Archive {
    #[command(flatten)]
    pub age: Age,

    /// Take single finished jobs, also out of DAGs that are not finished; the jobs that waited for them then look
    /// unblocked, the DAG's progress shrinks, and empty DAGs stay behind
    #[arg(long)]
    pub per_job: bool,

    /// Put jobs that are in the archive already in the place of what is there, instead of leaving them where they are
    #[arg(long)]
    pub replace: bool,

    /// Archive jobs though this column of theirs has no place in the archive; can be repeated
    #[arg(long, value_name = "COLUMN")]
    pub allow_dropping: Vec<String>,

    #[command(flatten)]
    pub batches: Batches,
    #[command(flatten)]
    pub destruction: Destruction,
}

#[derive(Debug, Clone, Args)]
pub struct Purge {
    #[command(flatten)]
    pub age: Age,

    /// Delete single jobs in just this state, also out of DAGs that are not finished; the jobs that waited for them
    /// then look unblocked, the DAG's progress shrinks, and empty DAGs stay behind
    #[arg(long)]
    pub per_job: bool,

    #[command(flatten)]
    pub batches: Batches,
    #[command(flatten)]
    pub destruction: Destruction,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Age {
    /// Only what has been over for this long
    #[arg(long, value_name = "DURATION", value_parser = values::duration(Duration::ZERO, YEAR.saturating_mul(100)))]
    pub older_than: Duration,
}

#[derive(Debug, Clone, Args)]
pub struct PurgeHistory {
    #[command(flatten)]
    pub age: Age,
    #[command(flatten)]
    pub batches: Batches,
    #[command(flatten)]
    pub destruction: Destruction,
}

/// A queue and its settings; those that are not given stay as they are, or are the scheduler's own.
#[derive(Debug, Clone, Args)]
pub struct Queue {
    /// The queue's name
    #[arg(value_parser = values::queue)]
    pub name: String,

    /// How often a job is tried again that is submitted without a limit of its own; the gateway's have one
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    pub retry_limit: Option<i32>,

    /// Seconds until a job is tried again
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(0..))]
    pub retry_delay: Option<i32>,

    /// Whether that time doubles with each attempt
    #[arg(long, value_name = "BOOLEAN")]
    pub retry_backoff: Option<bool>,

    /// Seconds after which an active job expires
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(1..))]
    pub expire_seconds: Option<i32>,

    /// Minutes for which a finished job is kept
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(i32).range(1..))]
    pub retention_minutes: Option<i32>,

    #[command(flatten)]
    pub execution: Execution,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MaintainAction {
    #[command(flatten)]
    Change(ChangeAction),
    /// Write the scheduler's schema into a file with pg_dump
    Backup(Leaf<Backup, Nothing>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChangeAction {
    /// Move finished DAGs and their jobs out of the scheduler's way, jobs into the table archive
    Archive(Leaf<Archive, Nothing>),
    /// Delete finished DAGs and their jobs, or history
    #[command(subcommand)]
    Purge(PurgeAction),
    /// Make and change queues
    #[command(subcommand)]
    Queue(QueueAction),
    /// Make the indexes that `check` recommends, while everything else goes on
    Indexes(Leaf<Execution, Nothing>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PurgeAction {
    /// Delete DAGs in which every job was completed or skipped
    Completed(Leaf<Purge, Nothing>),
    /// Delete finished DAGs in which a job failed, expired or was cancelled
    Failed(Leaf<Purge, Nothing>),
    /// Delete old rows of job_history and dag_history
    History(Leaf<PurgeHistory, Nothing>),
    /// Empty the tables of jobs, DAGs, their histories and the workers' state; asks for the schema's name
    All(Leaf<Destruction, Nothing>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueAction {
    /// Make a queue
    Create(Leaf<Queue, Nothing>),
    /// Change a queue's settings; jobs that are there already, and the gateway's, have their own
    Set(Leaf<Queue, Nothing>),
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file, which must not exist yet
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(values::file))]
    pub(crate) to: PathBuf,
}
