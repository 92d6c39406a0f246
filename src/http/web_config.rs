//! The file of `--web.config.file`: TLS, passwords and headers.
//!
//! Input: YAML in the format of Prometheus's own exporters (docs/web-configuration.md of prometheus/exporter-toolkit).
//! Output: a [`WebFile`], or a [`WebConfigError`] with the line. [`super::reload`] reads the file, [`super::tls`] and
//! [`super::auth`] apply it. Keys that are not supported are errors, because ignoring one could leave out a protection.

mod error;
mod headers;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use axum::http::HeaderMap;
use serde::Deserialize;
use serde_saphyr::Spanned;

pub use self::error::WebConfigError;
use self::error::{Fault, yaml_fault};
use super::text_file::read_text;

/// Settings of the file. Without a file, or with an empty one, connections are not encrypted and need no login.
#[derive(Clone, Default, PartialEq)]
pub struct WebFile {
    pub tls: Option<TlsSettings>,
    /// Password hashes by user name. Without users no login is needed.
    pub users: BTreeMap<String, PasswordHash>,
    /// Headers of each response.
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

/// Whether clients present a certificate, and the authorities that may sign it.
#[derive(Clone, PartialEq)]
pub enum ClientCertificates {
    NotRequested,
    /// A client may present none, but not an invalid one.
    VerifiedIfGiven(Pem),
    Required(Pem),
}

/// A version of TLS that rustls supports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// Certificates or a key: in a file, or in the configuration itself. `key` is the name of the setting.
#[derive(Clone, PartialEq)]
pub enum Pem {
    File { key: String, path: PathBuf },
    Inline { key: String, text: String },
}

impl Pem {
    /// Returns the text. Reads the file, if it is one.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::File { path, .. } => std::fs::read(path),
            Self::Inline { text, .. } => Ok(text.clone().into_bytes()),
        }
    }

    /// Returns its name for messages: the setting and the path, if it is a file.
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

/// Hashes by user name, as YAML.
type Users = BTreeMap<String, Spanned<Option<String>>>;

/// The file as YAML.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sections {
    tls_server_config: Option<Spanned<tls::Section>>,
    http_server_config: Option<headers::Section>,
    basic_auth_users: Option<Users>,
}

impl WebFile {
    /// Reads the file, but not the files that it names.
    pub fn read(path: &Path) -> Result<Self, WebConfigError> {
        let text =
            read_text(path).map_err(|source| WebConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Parses the text of the file at `path`. Relative paths in it start from its folder.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, WebConfigError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::from_yaml(text, folder).map_err(|fault| fault.in_file(path))
    }

    fn from_yaml(text: &str, folder: &Path) -> Result<Self, Fault> {
        let is_content = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let mut content = text.lines().map(str::trim).filter(is_content);
        if matches!((content.next(), content.next()), (None | Some("---"), None)) {
            return Ok(WebFile::default());
        }
        let options = serde_saphyr::options! {
            // A snippet of the file in an error could show a hash.
            with_snippet: false,
            strict_booleans: true,
            // Aliases could otherwise make millions of nodes of a few lines. Ten thousand users are twenty thousand nodes.
            budget: serde_saphyr::budget! { max_depth: 16, max_nodes: 50_000 },
        };
        let sections: Option<Sections> =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| yaml_fault(&error))?;
        let sections = sections.unwrap_or_default();
        Ok(WebFile {
            tls: sections
                .tls_server_config
                .map(|section| tls::settings(section, folder))
                .transpose()?
                .flatten(),
            users: sections.basic_auth_users.map(users).transpose()?.unwrap_or_default(),
            headers: sections.http_server_config.map(headers::headers).transpose()?.unwrap_or_default(),
        })
    }
}

/// Checks the names and hashes of the users.
fn users(given: Users) -> Result<BTreeMap<String, PasswordHash>, Fault> {
    let mut users = BTreeMap::new();
    for (name, hash) in given {
        let line = hash.referenced.line();
        let fault = |reason: &str| {
            Err(Fault::new(line, format!("basic_auth_users: {} {reason}", error::shown_name(&name))))
        };
        if name.contains(':') {
            return fault("can never log in, because a name ends at its first colon");
        }
        match hash.value.as_deref().map(str::parse) {
            None => return fault("has no value"),
            Some(Err(reason)) => return fault(reason),
            Some(Ok(hash)) => users.insert(name, hash),
        };
    }
    Ok(users)
}
