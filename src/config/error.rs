//! What can be wrong with a configuration, each told with the setting, the value, where it was
//! given and what would do. A secret's value is in none of them.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

/// Why there is no command to carry out.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Help or version was asked for, which is no failure.
    #[error("{0}")]
    Information(clap::Error),
    /// The command line is wrong, in clap's words.
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
    /// 0 where help or version was asked for, else 2, as where help is told because a command is missing.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Information(text) => u8::try_from(text.exit_code()).unwrap_or(2),
            _ => 2,
        }
    }

    /// Prints it where it belongs, help to standard output and errors to standard error, and says
    /// what to exit with.
    pub fn report(&self) -> ExitCode {
        match self {
            // A closed pipe is no reason to fail: `marie-exporter --help | head -1`.
            Self::Information(text) => drop(text.print()),
            // Nor is one that nobody reads.
            error => drop(writeln!(io::stderr(), "error: {error}")),
        }
        ExitCode::from(self.exit_code())
    }

    /// Sorts clap's errors. They repeat arguments, and one given to the wrong flag may be a URL
    /// with its password, so anything that looks like one is blotted out.
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

/// Whether a text may be a database URL, a connection string, a bcrypt hash or a private key, so that it is not to be
/// shown; rather too often.
pub(crate) fn looks_secret(text: &str) -> bool {
    let text: String = text.to_lowercase().split_whitespace().collect();
    ["://", "@", "password=", "$2a$", "$2b$", "$2x$", "$2y$", "-----begin"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// What of a text is shown, in characters.
const LONGEST: usize = 200;

/// The beginning of a text that may be as long as its file, and what says so where it is not all.
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
            // The parser of YAML has no line for some errors.
            Self::File { path, line: 0 } => write!(formatter, "{}", path.display()),
            Self::File { path, line } => write!(formatter, "{}, line {line}", path.display()),
        }
    }
}
