//! The database's URL as a secret. No error here repeats any part of it but a file's path, for what stands
//! in the wrong place of a URL may be its password. What libpq knows and we do not is refused, for it may be
//! what keeps the connection safe.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use thiserror::Error;
use url::Url;

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
    #[error("no database URL is set")]
    Missing,
}

/// What a URL may set, and no other parameter, each with libpq's variable for it.
const PARAMETERS: [(&str, &str); 12] = [
    ("application_name", "PGAPPNAME"),
    ("dbname", "PGDATABASE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("options", "PGOPTIONS"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("user", "PGUSER"),
];

/// The driver's own: 0 where a pooler knows no prepared statements.
const CACHE: &str = "statement-cache-capacity";

/// What libpq knows besides. Only these are named in a message: any other word may be a part of the password.
const UNSUPPORTED: [&str; 33] = [
    "channel_binding",
    "client_encoding",
    "connect_timeout",
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
    "passfile",
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
    "target_session_attrs",
    "tcp_user_timeout",
];

/// Parameters that name a file.
const TLS_FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

/// What a URL says, completed by libpq's variables.
#[derive(Debug)]
pub(super) struct Connect {
    pub(super) options: PgConnectOptions,
    pub(super) keeps_statements: bool,
    /// What the URL says, as libpq's variables.
    pub(super) environment: Vec<(&'static str, String)>,
    tls_files: Vec<(&'static str, PathBuf)>,
}

impl Connect {
    /// Parses a URL; the error is a reason that follows "the database URL".
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .ok_or("must begin with postgres:// or postgresql://")?;
        check_characters(rest)?;
        let url: Url = text.parse().map_err(|error| format!("is not valid: {error}"))?;
        let mut keeps_statements = true;
        for (name, value) in url.query_pairs() {
            check_parameter(&name)?;
            if name == CACHE {
                keeps_statements = value != "0";
            }
        }
        let options = PgConnectOptions::from_url(&url).map_err(|error| match error {
            // Of these only sslmode's is sqlx's own, and repeats the value; the others are the fixed texts of
            // the number and address parsers.
            sqlx::Error::Configuration(source) if !source.is::<sqlx::Error>() => {
                format!("is not valid: {source}")
            }
            _ => "has an sslmode other than disable, allow, prefer, require, verify-ca and verify-full"
                .to_owned(),
        })?;
        if options.get_host().contains(',') {
            return Err(SEVERAL_HOSTS.to_owned());
        }
        let tls_files: Vec<_> = TLS_FILES
            .into_iter()
            .filter_map(|name| {
                let own = url.query_pairs().filter(|(own, _)| own == name).last();
                let inherited = || std::env::var(variable(name)?).ok();
                let path = own.map(|(_, path)| path.into_owned()).or_else(inherited)?;
                // The driver takes a certificate itself as well; and a key in a path's place must not be shown.
                (!path.contains("-----BEGIN")).then(|| (name, PathBuf::from(path)))
            })
            .collect();
        // As libpq has it: whoever names an authority wants it asked.
        let names_an_authority = tls_files.iter().any(|(name, _)| *name == "sslrootcert");
        let options = match options.get_ssl_mode() {
            PgSslMode::Require if names_an_authority => options.ssl_mode(PgSslMode::VerifyCa),
            _ => options,
        };
        Ok(Connect { options, keeps_statements, environment: environment(&url)?, tls_files })
    }

    /// The options, once the files that they name have been seen: the driver's own error names no file.
    pub(super) fn with_files(self) -> Result<PgConnectOptions, DatabaseUrlError> {
        for (setting, path) in self.tls_files {
            if let Err(source) = File::open(&path) {
                return Err(DatabaseUrlError::UnreadableTls { setting, path, source });
            }
        }
        Ok(self.options)
    }
}

/// libpq's variable for a parameter that a URL may set.
fn variable(parameter: &str) -> Option<&'static str> {
    PARAMETERS.iter().find(|(name, _)| *name == parameter).map(|(_, variable)| *variable)
}

/// What a URL says, as libpq's variables.
fn environment(url: &Url) -> Result<Vec<(&'static str, String)>, String> {
    let decode = |text: &str| {
        let decoded =
            percent_decode_str(text).decode_utf8().map_err(|error| format!("is not valid: {error}"));
        decoded.map(Cow::into_owned)
    };
    let path = url.path().strip_prefix('/').unwrap_or_default();
    let parts = [
        ("PGHOST", url.host_str()),
        ("PGUSER", Some(url.username())),
        ("PGPASSWORD", url.password()),
        ("PGDATABASE", Some(path)),
    ];
    let mut environment = Vec::new();
    for (variable, part) in parts {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            // An IPv6 address has brackets in a URL only.
            environment.push((variable, decode(part)?.trim_matches(['[', ']']).to_owned()));
        }
    }
    environment.extend(url.port().map(|port| ("PGPORT", port.to_string())));
    for (name, value) in url.query_pairs() {
        if let Some(variable) = variable(&name) {
            environment.push((variable, value.into_owned()));
        }
    }
    Ok(environment)
}

const SEVERAL_HOSTS: &str = "names several hosts; give the one to watch";

/// A raw / ? # in the password ends the host there: "u:1/x@host" is host u, port 1. It would pass, and the rest
/// of the password would be reported as a port or a database's name.
fn check_characters(rest: &str) -> Result<(), String> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    if tail.contains('#') || path.contains('@') || query.contains('@') && !authority.contains('@') {
        return Err("has a reserved character: in user, password and database name write \
                    / as %2F, ? as %3F, # as %23, @ as %40"
            .to_owned());
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.contains(',') { Err(SEVERAL_HOSTS.to_owned()) } else { Ok(()) }
}

fn check_parameter(name: &str) -> Result<(), String> {
    let is_setting = name.starts_with("options[") && name.ends_with(']');
    if variable(name).is_some() || name == CACHE || is_setting {
        return Ok(());
    }
    let what = UNSUPPORTED.iter().find(|known| **known == name);
    let what = what.map_or("a parameter".to_owned(), |known| format!("the parameter {known}"));
    Err(format!(
        "has {what} that is not supported; there are {} and {CACHE}",
        PARAMETERS.map(|(name, _)| name).join(", ")
    ))
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
            ("postgres://u:x@hunter2/z@h/d", "has a reserved character: in user, password"),
            ("postgres://u:x@hunter2?z@h/d", "has a parameter that is not supported; there are appl"),
            (
                "postgres://u@h/d?password=x&hunter2=y",
                "has a parameter that is not supported; there are appl",
            ),
            (
                "postgres://u:hunter2@h/d?sslcrl=x",
                "has the parameter sslcrl that is not supported; there are",
            ),
            ("postgres://u:hunter2@h1:1,h2:2/d", "names several hosts; give the one to watch"),
            ("postgres://u:hunter2@/d?host=h1,h2", "is not valid: empty host"),
            ("postgres:///d?password=hunter2&host=h1,h2", "names several hosts; give the one to watch"),
        ] {
            let error = Connect::parse(url).unwrap_err();
            assert!(error.starts_with(reason), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
    }

    #[test]
    fn every_parameter_that_is_said_to_be_supported_has_an_effect() {
        let options = |url: &str| format!("{:?}", Connect::parse(url).unwrap().options);
        for parameter in PARAMETERS.map(|(name, _)| name).into_iter().chain([CACHE, "options[work_mem]"]) {
            let value = match parameter {
                "sslmode" => "disable",
                "hostaddr" => "192.0.2.1",
                "port" | CACHE => "7",
                _ => "x",
            };
            let set = options(&format!("postgres://u@h/d?{parameter}={value}"));
            assert_ne!(set, options("postgres://u@h/d"), "{parameter}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_but_a_key_in_its_place_is_not() {
        let told = |parameters: &str| {
            let connect = Connect::parse(&format!("postgres://u@h/d?{parameters}")).unwrap();
            connect.with_files().err().map(|error| error.to_string())
        };
        let missing = told("sslcert=/nowhere/a.crt&sslkey=/nowhere/a.key").unwrap();
        assert!(missing.starts_with("cannot read /nowhere/a.crt (sslcert): "), "{missing}");
        assert_eq!(told("sslkey=-----BEGIN PRIVATE KEY-----hunter2"), None);
    }

    #[test]
    fn an_authority_that_is_named_is_asked_unless_encryption_is_not_even_wanted() {
        for (parameters, mode) in [
            ("sslmode=require", "Require"),
            ("sslmode=require&sslrootcert=ca.pem", "VerifyCa"),
            ("sslrootcert=ca.pem&sslmode=verify-full", "VerifyFull"),
            ("sslrootcert=ca.pem", "Prefer"),
        ] {
            let connect = Connect::parse(&format!("postgres://u@h/d?{parameters}")).unwrap();
            assert_eq!(format!("{:?}", connect.options.get_ssl_mode()), mode, "{parameters}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let url = DatabaseUrl::Given(Secret::from("hunter2".to_owned()));
        assert_eq!(format!("{url:?}"), "Given(***)");
    }
}
