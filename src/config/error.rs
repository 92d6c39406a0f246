//! Errors of the configuration. Each names the setting, the value and its origin, and what is allowed.
//!
//! No error contains a secret.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

/// Why no command is executed.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Help or version was requested, which is not a failure.
    #[error("{0}")]
    Information(clap::Error),
    /// The command line is wrong, with clap's message.
    #[error("{0}")]
    Usage(String),
    #[error("invalid value {value} for {setting} ({origin}): {reason}")]
    Value { setting: String, value: String, origin: Origin, reason: String },
    #[error("unknown key {key} ({origin}); {hint}")]
    UnknownKey { key: String, origin: Origin, hint: String },
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{origin}: {reason}")]
    Yaml { origin: Origin, reason: String },
    #[error("database-url ({origin}): the database URL {reason}")]
    DatabaseUrl { origin: Origin, reason: String },
    #[error("database-url ({url}) and database-url-file ({file}) are both set; keep one of them")]
    TwoDatabaseUrls { url: Origin, file: Origin },
    #[error(
        "no database URL: set --database-url-file (a file that holds it), the environment \
         variable MARIE_EXPORTER_DATABASE_URL or DATABASE_URL, or --database-url; it looks like \
         postgres://user:password@host:5432/database; or set libpq's PGHOST, PGDATABASE, PGUSER ..."
    )]
    NoDatabaseUrl,
    #[error("--database-url: the demo makes a database of its own; leave it out, or run serve")]
    DemoDatabaseUrl,
}

impl ConfigError {
    /// Returns 0 if help or version was requested, otherwise 2. Help that is shown because a command is missing has 2.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Information(text) => u8::try_from(text.exit_code()).unwrap_or(2),
            _ => 2,
        }
    }

    /// Prints help to standard output, or the error to standard error, and returns the exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            // A closed pipe is not an error: `marie-exporter --help | head -1`.
            Self::Information(text) => drop(text.print()),
            error => drop(writeln!(io::stderr(), "error: {error}")),
        }
        ExitCode::from(self.exit_code())
    }

    /// Converts an error of clap. Because it repeats arguments, and a URL with its password may be among them, each one
    /// that looks like a secret is replaced by asterisks.
    pub(crate) fn from_clap(error: clap::Error, arguments: &[OsString]) -> Self {
        use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
        let kind = error.kind();
        if matches!(kind, DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand) {
            return Self::Information(error);
        }
        let mut text = error.to_string();
        for argument in arguments.iter().map(|argument| argument.to_string_lossy()) {
            let value = match argument.split_once('=') {
                Some((flag, value)) if flag.starts_with('-') => value,
                _ => &argument,
            };
            if looks_secret(value) {
                text = text.replace(value, "***");
            }
        }
        Self::Usage(text.trim_start_matches("error: ").trim_end().to_owned())
    }
}

/// Whether a text may be a database URL, a connection string, a bcrypt hash or a private key, which must not be shown. It
/// errs on the safe side.
pub(crate) fn looks_secret(text: &str) -> bool {
    let text: String = text.to_lowercase().split_whitespace().collect();
    ["://", "@", "password=", "$2a$", "$2b$", "$2x$", "$2y$", "-----begin"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// The longest text that a message shows, in characters.
const LONGEST: usize = 200;

/// Returns the beginning of a text, and an ellipsis if that is not all of it.
pub(crate) fn beginning(text: &str) -> (&str, &str) {
    text.char_indices().nth(LONGEST).map_or((text, ""), |(end, _)| (&text[..end], "..."))
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    CommandLine,
    Environment(String),
    File { path: PathBuf, line: u64 },
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => formatter.write_str("command line"),
            Self::Environment(name) => write!(formatter, "environment variable {name}"),
            // The YAML parser reports no line for some errors.
            Self::File { path, line: 0 } => write!(formatter, "{}", path.display()),
            Self::File { path, line } => write!(formatter, "{}, line {line}", path.display()),
        }
    }
}
