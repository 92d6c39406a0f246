//! The section `tls_server_config`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_saphyr::Spanned;

use super::{At, ClientCertificates, Pem, TLS, TlsSettings, TlsVersion, refusal};
use crate::config::error::{ConfigError, Origin};
use crate::config::file::Node;
use crate::config::sources::{mapping, scalar, shown};
use crate::config::values;

const KEYS: [&str; 9] = [
    "cert",
    "cert_file",
    "client_auth_type",
    "client_ca",
    "client_ca_file",
    "key",
    "key_file",
    "max_version",
    "min_version",
];

/// None where nothing is asked for.
pub(super) fn read(
    section: Spanned<Node>,
    origin: At,
    folder: &Path,
) -> Result<Option<TlsSettings>, ConfigError> {
    let example = "tls_server_config: {cert_file: server.crt, key_file: server.key}";
    let start = origin(section.referenced.line());
    let mut given = BTreeMap::new();
    for (key, node) in mapping(TLS, example, section, origin)? {
        if !KEYS.contains(&key.value.as_str()) {
            return Err(refusal(TLS, &key, origin, &KEYS));
        }
        let value = scalar(&format!("{TLS}: {}", key.value), node, origin)?;
        given.insert(key.value, value);
    }
    if given.is_empty() {
        return Ok(None);
    }
    let mut section = Section { given, start, folder };
    let cert = section.pem("cert")?.ok_or_else(|| section.lacks("cert_file"))?;
    let key = section.pem("key")?.ok_or_else(|| section.lacks("key_file"))?;
    let clients = section.clients()?;
    let min_version = section.version("min_version")?.unwrap_or(TlsVersion::Tls12);
    let max_version = section.version("max_version")?.unwrap_or(TlsVersion::Tls13);
    if min_version > max_version {
        return Err(section.wrong("has a min_version above its max_version"));
    }
    Ok(Some(TlsSettings { cert, key, clients, min_version, max_version }))
}

/// What stands in `tls_server_config`, by key.
struct Section<'a> {
    given: BTreeMap<String, (String, Origin)>,
    start: Origin,
    folder: &'a Path,
}

impl Section<'_> {
    fn wrong(&self, what: &str) -> ConfigError {
        ConfigError::Yaml { origin: self.start.clone(), reason: format!("{TLS} {what}") }
    }

    fn lacks(&self, key: &str) -> ConfigError {
        self.wrong(&format!("lacks {key}"))
    }

    /// What is given by `inline` itself or in a file.
    fn pem(&mut self, inline: &str) -> Result<Option<Pem>, ConfigError> {
        let file = format!("{inline}_file");
        match (self.given.remove(&file), self.given.remove(inline)) {
            (Some(_), Some(_)) => Err(self.wrong(&format!("has both {inline} and {file}; keep one of them"))),
            (Some((path, origin)), None) => match values::file(path.into()) {
                Ok(path) => Ok(Some(Pem::File { path: self.folder.join(path), key: file })),
                Err(reason) => Err(ConfigError::Value {
                    setting: format!("{TLS}: {file}"),
                    value: "***".to_owned(),
                    origin,
                    reason,
                }),
            },
            (None, Some((text, _))) => Ok(Some(Pem::Inline { key: inline.to_owned(), text })),
            (None, None) => Ok(None),
        }
    }

    fn clients(&mut self) -> Result<ClientCertificates, ConfigError> {
        let authorities = self.pem("client_ca")?;
        let Some((policy, origin)) = self.given.remove("client_auth_type") else {
            return match authorities {
                None => Ok(ClientCertificates::NotAsked),
                Some(_) => {
                    Err(self.wrong("has a client_ca, but no client_auth_type: RequireAndVerifyClientCert"))
                }
            };
        };
        match (policy.as_str(), authorities) {
            ("NoClientCert", None) => Ok(ClientCertificates::NotAsked),
            ("NoClientCert", Some(_)) => {
                Err(self.wrong("has a client_ca, but client_auth_type: NoClientCert"))
            }
            ("VerifyClientCertIfGiven", Some(pem)) => Ok(ClientCertificates::VerifiedIfGiven(pem)),
            ("RequireAndVerifyClientCert", Some(pem)) => Ok(ClientCertificates::Required(pem)),
            ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
                Err(self.lacks("client_ca_file"))
            }
            ("RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert", _) => {
                Err(ConfigError::Value {
                    setting: format!("{TLS}: client_auth_type"),
                    value: policy,
                    origin,
                    reason: "is not supported, for it verifies nothing; take RequireAndVerifyClientCert"
                        .to_owned(),
                })
            }
            _ => Err(ConfigError::Value {
                setting: format!("{TLS}: client_auth_type"),
                value: shown("", policy.as_ref()),
                origin,
                reason: "must be NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert"
                    .to_owned(),
            }),
        }
    }

    fn version(&mut self, key: &str) -> Result<Option<TlsVersion>, ConfigError> {
        let Some((text, origin)) = self.given.remove(key) else {
            return Ok(None);
        };
        match text.as_str() {
            "TLS12" => Ok(Some(TlsVersion::Tls12)),
            "TLS13" => Ok(Some(TlsVersion::Tls13)),
            _ => Err(ConfigError::Value {
                setting: format!("{TLS}: {key}"),
                value: shown("", text.as_ref()),
                origin,
                reason: "must be TLS12 or TLS13; rustls speaks no others".to_owned(),
            }),
        }
    }
}
