//! The command line: from arguments, environment and file to a [`Command`], and the commands that need no database.
//!
//! `args` declares the commands for clap; those of a room with commands of its own stand in [`crate::inspect`] and
//! [`crate::maintain::args`]. `parse` merges the sources of settings. `main.rs` runs the [`Command`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod args;
pub mod dashboards;
pub mod healthy;
pub mod man;
pub mod metric_table;
mod parse;
pub mod signals;
#[cfg(test)]
mod tests;

use std::ffi::OsString;

pub use self::args::command_line;
pub use self::parse::Command;
use crate::config::ConfigError;
use crate::config::file;

/// Reads the command line (the program's name first), the environment and the file named there.
///
/// `collectors` are the names and one-line descriptions of all there are: each gives the flags
/// `--collector.<name>` and `--no-collector.<name>`.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<OsString>,
    collectors: &[(&'static str, &'static str)],
) -> Result<Command, ConfigError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    parse::parse(&arguments, &environment, &file::text, collectors)
}
