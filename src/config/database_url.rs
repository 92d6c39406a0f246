//! The database's URL as a secret, and why there is no connection to be had from it. No error here repeats any part of
//! the URL but a file's path, for what stands in the wrong place of a URL may be its password.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// A PostgreSQL URL, given as such or as the file that holds it; or none, where libpq's variables (`PGHOST`,
/// `PGUSER` and so on) say it all. They complete a URL, too.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    Given(Secret),
    File(PathBuf),
    Environment,
}

/// Why there are no connect options; no part of the URL is in it.
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

/// A text that is never shown: no Display, and a Debug of three asterisks.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
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
