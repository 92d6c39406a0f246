//! What all commands share: the settings, beside what one command is asked.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};

use super::{Config, Secret, values};

/// What a command is asked, how it answers, and the settings that it shares with `serve`.
#[derive(Debug, Args)]
pub(crate) struct Leaf<Asked: Args, Answer: Args> {
    #[command(flatten)]
    pub(crate) asked: Asked,
    #[command(flatten)]
    pub(crate) answer: Answer,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// YAML file of settings, its keys named as these flags; it can also set thresholds by queue
    #[arg(
        long = "config.file",
        id = "config.file",
        help_heading = "Configuration",
        value_name = "FILE",
        value_parser = PathBufValueParser::new().try_map(values::file)
    )]
    pub(crate) config_file: Option<PathBuf>,

    /// PostgreSQL URL of the scheduler's database; other users see it in the list of processes,
    /// so better give the file or the variable (DATABASE_URL does too)
    #[arg(long, help_heading = "Database", value_name = "URL")]
    pub(crate) database_url: Option<Secret>,

    /// File that holds the URL, read at each connect
    #[arg(
        long,
        help_heading = "Database",
        value_name = "FILE",
        value_parser = PathBufValueParser::new().try_map(values::file)
    )]
    pub(crate) database_url_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) config: Config,
}

/// Of a command that asks for nothing besides.
#[derive(Debug, Clone, Args)]
pub(crate) struct Nothing {}
