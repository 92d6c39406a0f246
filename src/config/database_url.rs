//! The database's URL as a secret. No error here repeats any part of it, for what stands in the
//! wrong place of a URL may be its password.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use thiserror::Error;

/// A PostgreSQL URL, given as such or as the file that holds it.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    Given(Secret),
    File(PathBuf),
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
    #[error("no database URL is set")]
    Missing,
}

/// Parses a URL; the error is a reason that follows "the database URL".
pub(super) fn parse_url(url: &str) -> Result<PgConnectOptions, String> {
    let rest = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .ok_or("must begin with postgres:// or postgresql://")?;
    // A raw / ? # in the password ends the host there: "u:1/x@host" is host u, port 1. It would
    // pass, and the rest of the password would be reported as a port or a database's name.
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if tail.contains('#') || (tail.contains('@') && !authority.contains('@')) {
        return Err("has a reserved character: in user, password and database name write \
                    / as %2F, ? as %3F, # as %23, @ as %40"
            .to_owned());
    }
    // sqlx warns of each unknown parameter with its value, which after a slip is the password.
    let silence = tracing::subscriber::NoSubscriber::default();
    tracing::subscriber::with_default(silence, || PgConnectOptions::from_str(url)).map_err(
        |error| match error {
            // Of these only sslmode's is sqlx's own, and repeats the value; the others are the
            // fixed texts of the URL, number and address parsers.
            sqlx::Error::Configuration(source) if !source.is::<sqlx::Error>() => {
                format!("is not valid: {source}")
            }
            _ => "has an sslmode other than disable, allow, prefer, require, verify-ca and \
                  verify-full"
                .to_owned(),
        },
    )
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
    fn no_error_about_a_url_contains_its_password() {
        for (url, reason) in [
            ("mysql://u:hunter2@h/d", "must begin with postgres:// or postgresql://"),
            ("host=h password=hunter2", "must begin with postgres:// or postgresql://"),
            ("", "must begin with postgres:// or postgresql://"),
            ("postgres://u:hunter2@h:port/d", "is not valid: invalid port number"),
            ("postgres://u:hunter2@:5432/d", "is not valid: empty host"),
            ("postgres://u:hunter2@h:99999/d", "is not valid: invalid port number"),
            ("postgres://u:hunter2%ff@h/d", "is not valid: invalid utf-8 sequence of 1 bytes"),
            ("postgres://u:hunter2/x@h/d", "has a reserved character: in user, password"),
            ("postgres://u:1#hunter2@h/d", "has a reserved character: in user, password"),
            ("postgres://u:1?hunter2@h/d", "has a reserved character: in user, password"),
            ("postgres://u@h/d?sslmode=hunter2", "has an sslmode other than disable, allow"),
            ("postgres://u@h/d?port=hunter2", "is not valid: invalid digit found in string"),
            ("postgres://u@h/d?hostaddr=hunter2", "is not valid: invalid IP address syntax"),
            ("postgres://u:p@[hunter2]/d", "is not valid: invalid IPv6 address"),
        ] {
            let error = parse_url(url).unwrap_err();
            assert!(error.starts_with(reason), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let url = DatabaseUrl::Given(Secret::from("hunter2".to_owned()));
        assert_eq!(format!("{url:?}"), "Given(***)");
    }
}
