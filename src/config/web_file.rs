//! The file of `--web.config.file`: TLS, passwords and headers, in the format that Prometheus's own exporters
//! share (docs/web-configuration.md of prometheus/exporter-toolkit). What of it is not supported is an error:
//! a protection that is asked for and not there would be worse than none.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_saphyr::Spanned;

use super::error::{ConfigError, Origin};
use super::file::{self, Node};
use super::sources::{mapping, scalar, shown};

const TLS: &str = "tls_server_config";
const HTTP: &str = "http_server_config";
const USERS: &str = "basic_auth_users";

const TLS_KEYS: [&str; 9] = [
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

/// The headers that may be set, and for some of them the only values, as in the toolkit.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
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
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Understands the text of the file at `path`; relative paths in it start from its folder.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let origin = |line| Origin::File { path: path.to_owned(), line };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut web = WebFile::default();
        for (key, node) in file::read(text, path)? {
            match key.value.as_str() {
                TLS => web.tls = tls(node, &origin, folder)?,
                HTTP => web.headers = http(node, &origin)?,
                USERS => web.users = users(node, &origin)?,
                _ => return Err(refusal("", &key, &origin, &[HTTP, TLS, USERS])),
            }
        }
        Ok(web)
    }
}

fn tls(section: Spanned<Node>, origin: At, folder: &Path) -> Result<Option<TlsSettings>, ConfigError> {
    let example = "tls_server_config: {cert_file: server.crt, key_file: server.key}";
    let start = origin(section.referenced.line());
    let mut given = BTreeMap::new();
    for (key, node) in mapping(TLS, example, section, origin)? {
        if !TLS_KEYS.contains(&key.value.as_str()) {
            return Err(refusal(TLS, &key, origin, &TLS_KEYS));
        }
        let value = scalar(&format!("{TLS}: {}", key.value), node, origin)?;
        given.insert(key.value, value);
    }
    if given.is_empty() {
        return Ok(None);
    }
    let mut section = TlsSection { given, start, folder };
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
struct TlsSection<'a> {
    given: BTreeMap<String, (String, Origin)>,
    start: Origin,
    folder: &'a Path,
}

impl TlsSection<'_> {
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
            (Some((path, _)), None) => Ok(Some(Pem::File { path: self.folder.join(path), key: file })),
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

fn http(section: Spanned<Node>, origin: At) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    for (key, node) in
        mapping(HTTP, "http_server_config: {headers: {X-Frame-Options: deny}}", section, origin)?
    {
        match key.value.as_str() {
            "headers" => {
                let example = "headers: {X-Frame-Options: deny}";
                for (key, node) in mapping("http_server_config: headers", example, node, origin)? {
                    headers.extend(header(&key, node, origin)?);
                }
            }
            "http2" => {
                let (text, origin) = scalar("http_server_config: http2", node, origin)?;
                if text != "false" {
                    let reason =
                        "http_server_config: http2 can only be false: each connection is one request of HTTP/1.1"
                            .to_owned();
                    return Err(ConfigError::Yaml { origin, reason });
                }
            }
            _ => return Err(refusal(HTTP, &key, origin, &["headers", "http2"])),
        }
    }
    Ok(headers)
}

/// None where the value is blank, which the format has for unset.
fn header(
    key: &Spanned<String>,
    node: Spanned<Node>,
    origin: At,
) -> Result<Option<(HeaderName, HeaderValue)>, ConfigError> {
    let Some((name, values)) = HEADERS.iter().find(|(name, _)| *name == key.value) else {
        return Err(refusal("http_server_config: headers", key, origin, &HEADERS.map(|(name, _)| name)));
    };
    if matches!(&node.value, Node::Scalar(text) if text.is_empty()) {
        return Ok(None);
    }
    let setting = format!("http_server_config: headers: {name}");
    let (text, origin) = scalar(&setting, node, origin)?;
    let wrong = |reason| ConfigError::Value { setting, value: shown("", text.as_ref()), origin, reason };
    if !values.is_empty() && !values.contains(&text.as_str()) {
        return Err(wrong(format!("must be {}", values.join(" or "))));
    }
    match (HeaderName::try_from(*name), HeaderValue::try_from(&text)) {
        (Ok(name), Ok(value)) => Ok(Some((name, value))),
        _ => Err(wrong("has characters that no header can have".to_owned())),
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
