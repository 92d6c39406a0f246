//! Converts a URL and libpq's variables into options of the driver.
//!
//! Input: a URL, and the files that it names, which are read for each connection. Output: a [`Target`] with the servers to
//! try and the warnings. The driver ignores some of libpq's keywords and interprets others differently, so each value is
//! checked here before the driver gets it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::database_url::DatabaseUrlError;
use super::hosts::{self, Host};
use super::keywords::{CACHE, Keywords};
use super::password_file::{self, Wanted};
use super::tls_files;

/// Default time limit for opening a connection, name resolution and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest value of `connect_timeout`, in seconds.
const LONGEST_CONNECT_TIMEOUT: u64 = 60;

/// Where and how to connect.
#[derive(Debug)]
pub struct Target {
    /// The servers to try, at least one.
    pub servers: Vec<Server>,
    pub role: ServerRole,
    /// Time limit for connecting to one of them.
    pub timeout: Duration,
    /// Whether statements may stay prepared from one transaction to the next. sqlx's own setting does not do it: with a
    /// capacity of 0 it prepares statements under names and never releases them.
    pub keeps_statements: bool,
    /// Problems of a connection that works, such as a secret that other users can read.
    pub warnings: Vec<String>,
}

/// A server to try.
#[derive(Debug)]
pub struct Server {
    pub options: PgConnectOptions,
    /// Host and port for messages.
    pub place: String,
    /// Why no password is used, if none is.
    pub lacks_password: Option<String>,
}

/// The wanted role of the server, libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerRole {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// A parsed URL. Its files have not been read.
#[derive(Debug)]
pub(crate) struct Connect {
    keywords: Keywords,
    hosts: Vec<Host>,
    mode: PgSslMode,
    role: ServerRole,
    timeout: Duration,
    keeps_statements: bool,
}

impl Connect {
    /// Parses a URL; the error is a reason that follows "the database URL".
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let keywords = Keywords::parse(text)?;
        let cache = keywords.get(CACHE).map(|value| value.parse::<usize>());
        let cache = cache.transpose().map_err(|error| format!("is not valid: {error}"))?;
        let hosts = hosts::hosts(&keywords)?;
        let mode = ssl_mode(&keywords)?;
        for host in &hosts {
            host.ssl_mode(mode)?;
        }
        check_channel_binding(&keywords)?;
        Ok(Connect {
            role: server_role(&keywords)?,
            timeout: timeout(&keywords)?,
            keeps_statements: cache != Some(0),
            keywords,
            hosts,
            mode,
        })
    }

    /// Returns the values of the URL as libpq's variables.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        self.keywords.environment()
    }

    /// Reads the files that the URL names, and returns the options. The driver's own errors would not name the file.
    pub(super) fn with_files(self) -> Result<Target, DatabaseUrlError> {
        let mut warnings = tls_files::check(&self.keywords)?;
        let mut servers = Vec::new();
        for host in &self.hosts {
            let mode = host.ssl_mode(self.mode).map_err(DatabaseUrlError::Invalid)?;
            let options = self.options(host, mode)?;
            let (options, lacks_password) = self.with_password(host, options);
            if lacks_password.is_none() && !host.is_socket() && is_unverified(mode) {
                warnings.push(format!(
                    "the password goes to {}:{} over TCP without verification of the server; add \
                     sslmode=verify-full to the database URL",
                    host.name, host.port
                ));
            }
            let ignored = lacks_password.iter().filter(|why| why.starts_with("the password file"));
            warnings.extend(ignored.cloned());
            let place = if host.target() == host.name {
                format!("{}:{}", host.name, host.port)
            } else {
                format!("{} ({}):{}", host.name, host.target(), host.port)
            };
            servers.push(Server { options, place, lacks_password });
        }
        let Connect { role, timeout, keeps_statements, .. } = self;
        Ok(Target { servers, role, timeout, keeps_statements, warnings })
    }

    /// Returns the driver's options for one host, without the password.
    fn options(&self, host: &Host, mode: PgSslMode) -> Result<PgConnectOptions, DatabaseUrlError> {
        let invalid =
            |error: &dyn std::fmt::Display| DatabaseUrlError::Invalid(format!("is not valid: {error}"));
        // The driver accepts `options` only in a URL. An empty password keeps it from reading a password file.
        let mut url = Url::parse("postgres:///?password=").map_err(|error| invalid(&error))?;
        url.query_pairs_mut().append_pair("host", host.target()).append_pair("port", &host.port.to_string());
        for name in ["user", "dbname", "application_name", "options"] {
            if let Some(value) = self.keywords.get(name) {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        for (setting, value) in &self.keywords.settings {
            url.query_pairs_mut().append_pair(&format!("options[{setting}]"), value);
        }
        let options = PgConnectOptions::from_url(&url).map_err(|error| invalid(&error))?.ssl_mode(mode);
        Ok(tls_files::add(&self.keywords, options))
    }

    /// Adds the password from the URL, a variable or the password file. Also returns why there is none.
    fn with_password(&self, host: &Host, options: PgConnectOptions) -> (PgConnectOptions, Option<String>) {
        if let Some(password) = self.keywords.get("password") {
            return (options.password(&password), None);
        }
        let named = self.keywords.get("passfile").map(PathBuf::from);
        let file = named.clone().or_else(|| std::env::home_dir().map(|home| home.join(".pgpass")));
        let Some(file) = file.filter(|file| named.is_some() || Path::exists(file)) else {
            return (options, Some("no password is set".to_owned()));
        };
        let found = password_file::password(
            &file,
            &Wanted {
                host: &host.name,
                port: host.port,
                database: options.get_database().unwrap_or(options.get_username()),
                user: options.get_username(),
            },
        );
        match found {
            Ok(password) => (options.password(&password), None),
            Err(why) => (options, Some(why)),
        }
    }
}

fn is_unverified(mode: PgSslMode) -> bool {
    !matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull)
}

fn ssl_mode(keywords: &Keywords) -> Result<PgSslMode, String> {
    let mode = keywords.get("sslmode").map(|value| value.parse::<PgSslMode>()).transpose().map_err(|_| {
        // The driver's own text repeats the value.
        "has an sslmode other than disable, allow, prefer, require, verify-ca and verify-full".to_owned()
    })?;
    let authority = keywords.get("sslrootcert");
    match (mode, authority.as_deref()) {
        (None, Some(tls_files::SYSTEM)) => Ok(PgSslMode::VerifyFull),
        (Some(mode), Some(tls_files::SYSTEM)) if !matches!(mode, PgSslMode::VerifyFull) => {
            Err("has sslrootcert=system, which needs sslmode=verify-full".to_owned())
        }
        // As in libpq, naming an authority means that the certificate is verified.
        (Some(PgSslMode::Require), Some(_)) => Ok(PgSslMode::VerifyCa),
        (mode, _) => Ok(mode.unwrap_or_default()),
    }
}

fn check_channel_binding(keywords: &Keywords) -> Result<(), String> {
    match keywords.get("channel_binding").as_deref() {
        None | Some("disable" | "prefer") => Ok(()),
        Some("require") => {
            Err("has channel_binding=require: the driver cannot bind a password to the TLS session; use \
                                sslmode=verify-full and leave channel_binding out"
                .to_owned())
        }
        Some(_) => Err("has a channel_binding other than disable, prefer and require".to_owned()),
    }
}

fn timeout(keywords: &Keywords) -> Result<Duration, String> {
    let Some(text) = keywords.get("connect_timeout") else { return Ok(CONNECT_TIMEOUT) };
    let seconds =
        text.trim().parse::<i64>().map_err(|_| "has a connect_timeout that is not a number of seconds")?;
    // In libpq, zero and less means without limit. The runner must not wait for ever, so the default applies.
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    Ok(seconds.map_or(CONNECT_TIMEOUT, |seconds| Duration::from_secs(seconds.min(LONGEST_CONNECT_TIMEOUT))))
}

fn server_role(keywords: &Keywords) -> Result<ServerRole, String> {
    Ok(match keywords.get("target_session_attrs").as_deref() {
        None | Some("any") => ServerRole::Any,
        Some("read-write") => ServerRole::ReadWrite,
        Some("read-only") => ServerRole::ReadOnly,
        Some("primary") => ServerRole::Primary,
        Some("standby") => ServerRole::Standby,
        Some("prefer-standby") => ServerRole::PreferStandby,
        Some(_) => {
            return Err(
                "has target_session_attrs other than any, read-write, read-only, primary, standby and \
                        prefer-standby"
                    .to_owned(),
            );
        }
    })
}

#[cfg(test)]
mod tests;
