//! The database's URL as a secret, and the errors of reading it.
//!
//! An error repeats no part of the URL except the path of a file, because any other misplaced part may be the password.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Source of the PostgreSQL URL. libpq's variables (`PGHOST`, `PGUSER` and so on) complete it, or replace it.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    Given(Secret),
    /// The file that contains it.
    File(PathBuf),
    /// No URL: only libpq's variables.
    Environment,
}

/// Why the exporter cannot connect. It contains no secret.
#[derive(Debug, Error)]
pub enum DatabaseUrlError {
    #[error("the database URL {0}")]
    Invalid(String),
    #[error("the database URL in {} {reason}", path.display())]
    InvalidInFile { path: PathBuf, reason: String },
    #[error("cannot read the database URL from {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("cannot read {} ({setting}): {source}", path.display())]
    UnreadableTls { setting: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot use {} ({setting}): {reason}", path.display())]
    UnusableTls { setting: &'static str, path: PathBuf, reason: String },
    #[error("no database URL is set")]
    Missing,
}

/// A text that is never shown: it has no `Display`, and its `Debug` is three asterisks.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Returns the text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let url = DatabaseUrl::Given(Secret::from("hunter2".to_owned()));
        assert_eq!(format!("{url:?}"), "Given(***)");
    }
}
