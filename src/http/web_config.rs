//! The file of `--web.config.file`: TLS, passwords and headers, in the format that Prometheus's own exporters
//! share (docs/web-configuration.md of prometheus/exporter-toolkit). What of it is not supported is an error:
//! a protection that is asked for and not there would be worse than none.

mod headers;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use axum::http::HeaderMap;
use serde_saphyr::Spanned;

use crate::config::error::{ConfigError, Origin};
use crate::config::file::{self, Node};
use crate::config::sources::{mapping, scalar, shown};

const TLS: &str = "tls_server_config";
const HTTP: &str = "http_server_config";
const USERS: &str = "basic_auth_users";

/// Keys of the format that are refused, with what to do about it.
const UNSUPPORTED: [(&str, &str); 5] = [
    ("rate_limit", "the number of connections and of logins is limited without it"),
    (
        "client_allowed_sans",
        "who holds a certificate of client_ca_file gets in, so give the clients an authority of their own",
    ),
    ("cipher_suites", "rustls has none that is weak"),
    ("prefer_server_cipher_suites", "rustls has no cipher suite that is weak"),
    ("curve_preferences", "rustls has no curve that is weak"),
];

/// What the file says. Without a file, or with an empty one, all is open.
#[derive(Clone, Default, PartialEq)]
pub struct WebFile {
    pub tls: Option<TlsSettings>,
    /// By name. None means that nobody has to log in.
    pub users: BTreeMap<String, PasswordHash>,
    /// For every answer.
    pub headers: HeaderMap,
}

/// How connections are encrypted.
#[derive(Clone, PartialEq)]
pub struct TlsSettings {
    pub cert: Pem,
    pub key: Pem,
    pub clients: ClientCertificates,
    pub min_version: TlsVersion,
    pub max_version: TlsVersion,
}

/// Whether clients show a certificate, and the authorities that are believed.
#[derive(Clone, PartialEq)]
pub enum ClientCertificates {
    NotAsked,
    /// One that cannot be verified is refused, none is not.
    VerifiedIfGiven(Pem),
    Required(Pem),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// Certificates or a key: in a file, or in the configuration itself.
#[derive(Clone, PartialEq)]
pub enum Pem {
    File { key: String, path: PathBuf },
    Inline { key: String, text: String },
}

impl Pem {
    /// # Errors
    /// When its file cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::File { path, .. } => std::fs::read(path),
            Self::Inline { text, .. } => Ok(text.clone().into_bytes()),
        }
    }

    /// What it is called in messages: its key, and its file where it has one.
    pub fn name(&self) -> String {
        match self {
            Self::File { key, path } => format!("{key} {}", path.display()),
            Self::Inline { key, .. } => key.clone(),
        }
    }
}

/// A bcrypt hash.
#[derive(Clone, PartialEq)]
pub struct PasswordHash {
    pub text: String,
    pub cost: u32,
}

impl FromStr for PasswordHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: bcrypt::HashParts = text
            .parse()
            .map_err(|_| "is not a bcrypt hash, which `htpasswd -nBC 10 \"\"` makes of a password")?;
        match parts.get_cost() {
            cost @ 4..=31 => Ok(Self { text: text.to_owned(), cost }),
            _ => Err("has a cost that is not from 4 to 31"),
        }
    }
}

type At<'a> = &'a dyn Fn(u64) -> Origin;

impl WebFile {
    /// Reads the file; what it names is not looked at.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            file::text(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Understands the text of the file at `path`; relative paths in it start from its folder.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let origin = |line| Origin::File { path: path.to_owned(), line };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut web = WebFile::default();
        for (key, node) in file::read(text, path)? {
            match key.value.as_str() {
                TLS => web.tls = tls::read(node, &origin, folder)?,
                HTTP => web.headers = headers::read(node, &origin)?,
                USERS => web.users = users(node, &origin)?,
                _ => return Err(refusal("", &key, &origin, &[HTTP, TLS, USERS])),
            }
        }
        Ok(web)
    }
}

fn users(section: Spanned<Node>, origin: At) -> Result<BTreeMap<String, PasswordHash>, ConfigError> {
    let mut users = BTreeMap::new();
    for (name, node) in mapping(USERS, "basic_auth_users: {prometheus: a bcrypt hash}", section, origin)? {
        let setting = format!("{USERS}: {}", shown("", name.value.as_ref()));
        let wrong = |origin, reason| Err(ConfigError::Yaml { origin, reason: format!("{setting} {reason}") });
        if name.value.contains(':') {
            return wrong(origin(name.referenced.line()), "can never log in: a name ends at its first colon");
        }
        let (text, origin) = scalar(&setting, node, origin)?;
        match text.parse() {
            Ok(hash) => users.insert(name.value, hash),
            Err(reason) => return wrong(origin, reason),
        };
    }
    Ok(users)
}

/// Says that a key is unknown, or of the format but not supported.
fn refusal(section: &str, key: &Spanned<String>, origin: At, known: &[&str]) -> ConfigError {
    let origin = origin(key.referenced.line());
    match UNSUPPORTED.iter().find(|(name, _)| *name == key.value) {
        Some((name, instead)) => {
            ConfigError::Yaml { origin, reason: format!("{name} is not supported, leave it out: {instead}") }
        }
        None => ConfigError::UnknownKey {
            key: shown("", key.value.as_ref()),
            origin,
            hint: match section {
                "" => format!("the keys are {}", known.join(", ")),
                section => format!("the keys of {section} are {}", known.join(", ")),
            },
        },
    }
}
