//! Arguments that several reading commands share: how to print the answer, and the filter by queue.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use clap::{Args, ValueEnum};

use crate::config::timezone::timezone;

/// How a list is printed.
#[derive(Debug, Clone, Args)]
pub struct ListOptions {
    /// How to print the rows
    #[arg(long, default_value = "table")]
    pub format: ListFormat,

    /// Print at most this many rows
    #[arg(long = "limit", id = "rows", value_name = "NUMBER", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,

    /// Which page of that many rows to print
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
pub enum ListFormat {
    Table,
    Json,
    Csv,
    /// CSV with an apostrophe before each text that a spreadsheet would take for a formula
    CsvSpreadsheet,
}

/// How one job or DAG is printed.
#[derive(Debug, Clone, Args)]
pub struct ShowOptions {
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
pub struct QueueFilter {
    /// Only of this queue
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
}
