//! libpq's keywords: those that a URL may set, each with its environment variable, and those that are rejected.
//!
//! Keywords that the driver does not support are rejected, because ignoring one could make the connection insecure.

use std::collections::BTreeMap;

use super::connection_uri;

/// The keywords that a URL may set, each with libpq's environment variable.
pub(super) const KEYWORDS: [(&str, &str); 16] = [
    ("application_name", "PGAPPNAME"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("user", "PGUSER"),
];

/// A parameter of the driver: 0 for a pooler without support for prepared statements.
pub(super) const CACHE: &str = "statement-cache-capacity";

/// libpq's other keywords. Only these are named in an error, because any other word may be a part of the password.
const UNSUPPORTED: [&str; 29] = [
    "client_encoding",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "service",
    "servicefile",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslnegotiation",
    "sslpassword",
    "sslsni",
    "tcp_user_timeout",
];

/// The values of a URL, completed by libpq's variables.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    given: BTreeMap<String, String>,
    /// `options[name]=value`, a form of the driver that libpq does not have.
    pub(super) settings: Vec<(String, String)>,
}

impl Keywords {
    /// Parses a URL. The error is a reason that follows "the database URL".
    pub(super) fn parse(uri: &str) -> Result<Self, String> {
        let mut keywords = Keywords::default();
        for (name, value) in connection_uri::keywords(uri)? {
            if let Some(setting) = name.strip_prefix("options[").and_then(|rest| rest.strip_suffix(']')) {
                keywords.settings.push((setting.to_owned(), value));
            } else {
                check(&name)?;
                keywords.given.insert(name, value);
            }
        }
        Ok(keywords)
    }

    /// Returns the value of the URL, or else of libpq's variable. As in libpq, an empty one counts as unset.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = match self.given.get(name) {
            Some(value) => Some(value.clone()),
            None => variable(name).and_then(|variable| std::env::var(variable).ok()),
        };
        value.filter(|value| !value.is_empty())
    }

    /// Returns the values of the URL as libpq's variables.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let given = |(name, value): (&String, &String)| Some((variable(name)?, value.clone()));
        self.given.iter().filter_map(given).collect()
    }
}

/// Returns libpq's variable for a keyword that a URL may set.
fn variable(keyword: &str) -> Option<&'static str> {
    KEYWORDS.iter().find(|(name, _)| *name == keyword).map(|(_, variable)| *variable)
}

/// Rejects a keyword that is not supported.
fn check(name: &str) -> Result<(), String> {
    if variable(name).is_some() || name == CACHE {
        return Ok(());
    }
    let what = UNSUPPORTED.iter().find(|known| **known == name);
    let what = what.map_or("a parameter".to_owned(), |known| format!("the parameter {known}"));
    Err(format!(
        "has {what} that is not supported; there are {} and {CACHE}",
        KEYWORDS.map(|(name, _)| name).join(", ")
    ))
}
