//! libpq's keywords: those that a URL may set, each with its variable of the environment, and those that are refused.
//! What libpq knows and the driver does not is refused, for it may be what keeps the connection safe.

use std::collections::BTreeMap;

use super::connection_uri;

/// What a URL may set, and no other keyword, each with libpq's variable for it.
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

/// The driver's own: 0 where a pooler knows no prepared statements.
pub(super) const CACHE: &str = "statement-cache-capacity";

/// What libpq knows besides. Only these are named in a message: any other word may be a part of the password.
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

/// The values that a URL gives, completed by libpq's variables.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    given: BTreeMap<String, String>,
    /// `options[name]=value`, which the driver knows and libpq does not.
    pub(super) settings: Vec<(String, String)>,
}

impl Keywords {
    /// Reads a URL; the error is a reason that follows "the database URL".
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

    /// The value of the URL or else of libpq's variable. An empty one counts as none, as in libpq.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = match self.given.get(name) {
            Some(value) => Some(value.clone()),
            None => variable(name).and_then(|variable| std::env::var(variable).ok()),
        };
        value.filter(|value| !value.is_empty())
    }

    /// The values of the URL, as libpq's variables.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let given = |(name, value): (&String, &String)| Some((variable(name)?, value.clone()));
        self.given.iter().filter_map(given).collect()
    }
}

/// libpq's variable for a keyword that a URL may set.
fn variable(keyword: &str) -> Option<&'static str> {
    KEYWORDS.iter().find(|(name, _)| *name == keyword).map(|(_, variable)| *variable)
}

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
