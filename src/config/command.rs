//! The arguments of a command: its own beside the settings that all commands share.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};

use super::{Config, Secret, values};

/// Arguments of one command, options of its output, and the settings that it shares with `serve`.
#[derive(Debug, Args)]
pub(crate) struct Leaf<Asked: Args, Answer: Args> {
    #[command(flatten)]
    pub(crate) asked: Asked,
    #[command(flatten)]
    pub(crate) answer: Answer,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// The settings as clap parses them. The database's URL and the file are still separate flags.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// YAML file of settings, with the names of these flags as keys; it can also set thresholds by queue
    #[arg(
        long = "config.file",
        id = "config.file",
        help_heading = "Configuration",
        value_name = "FILE",
        value_parser = PathBufValueParser::new().try_map(values::file)
    )]
    pub(crate) config_file: Option<PathBuf>,

    /// PostgreSQL URL of the scheduler's database; other users can see a flag in the process list,
    /// so prefer the file or a variable (also DATABASE_URL)
    #[arg(long, help_heading = "Database", value_name = "URL")]
    pub(crate) database_url: Option<Secret>,

    /// File that contains the URL, read for each connection
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

/// Arguments of a command that has none of its own.
#[derive(Debug, Clone, Args)]
pub(crate) struct Nothing {}
