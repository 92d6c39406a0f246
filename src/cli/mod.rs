//! The command line, and the commands that need no database.
//!
//! Input: arguments, environment and file. Output: a [`Command`], which `main.rs` runs. `args` declares the commands for
//! clap; those of reading and maintaining are in [`crate::inspect`] and [`crate::maintain::args`]. `parse` merges the
//! sources of settings.

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
use crate::http::text_file::read_text;

/// Returns the command for these arguments, of which the first is the program's name.
///
/// `environment` reads a variable. `collectors` are the names and descriptions of all collectors. Each has the flags
/// `--collector.<name>` and `--no-collector.<name>`.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<OsString>,
    collectors: &[(&'static str, &'static str)],
) -> Result<Command, ConfigError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    parse::parse(&arguments, &environment, &read_text, collectors)
}
