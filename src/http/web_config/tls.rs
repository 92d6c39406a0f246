//! The section `tls_server_config`.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::error::Fault;
use super::{ClientCertificates, Pem, TlsSettings, TlsVersion};

/// The section as YAML.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    cert: Option<String>,
    cert_file: Option<Spanned<String>>,
    client_auth_type: Option<Spanned<String>>,
    client_ca: Option<String>,
    client_ca_file: Option<Spanned<String>>,
    key: Option<String>,
    key_file: Option<Spanned<String>>,
    max_version: Option<Spanned<String>>,
    min_version: Option<Spanned<String>>,
}

impl Section {
    fn is_empty(&self) -> bool {
        let texts = [&self.cert, &self.client_ca, &self.key];
        let files = [&self.cert_file, &self.client_ca_file, &self.key_file];
        let others = [&self.client_auth_type, &self.max_version, &self.min_version];
        texts.iter().all(|text| text.is_none()) && files.iter().chain(&others).all(|value| value.is_none())
    }
}

/// Returns the settings, or `None` if the section is empty. Relative paths start from `folder`.
pub(super) fn settings(section: Spanned<Section>, folder: &Path) -> Result<Option<TlsSettings>, Fault> {
    let line = section.referenced.line();
    let section = section.value;
    if section.is_empty() {
        return Ok(None);
    }
    let fault = |reason: &str| Fault::new(line, format!("tls_server_config {reason}"));
    let pem = |name: &str, text: Option<String>, file: Option<Spanned<String>>| match (text, file) {
        (Some(_), Some(_)) => Err(fault(&format!("has both {name} and {name}_file; keep one of them"))),
        (Some(text), None) => Ok(Some(Pem::Inline { key: name.to_owned(), text })),
        (None, Some(file)) => pem_file(format!("{name}_file"), &file, folder).map(Some),
        (None, None) => Ok(None),
    };
    let cert = pem("cert", section.cert, section.cert_file)?.ok_or_else(|| fault("lacks cert_file"))?;
    let key = pem("key", section.key, section.key_file)?.ok_or_else(|| fault("lacks key_file"))?;
    let authorities = pem("client_ca", section.client_ca, section.client_ca_file)?;
    let clients = match (section.client_auth_type, authorities) {
        (Some(policy), authorities) => clients(&policy, authorities, &fault)?,
        (None, None) => ClientCertificates::NotRequested,
        (None, Some(_)) => {
            return Err(fault("has a client_ca, but no client_auth_type: RequireAndVerifyClientCert"));
        }
    };
    let min_version = version("min_version", section.min_version)?.unwrap_or(TlsVersion::Tls12);
    let max_version = version("max_version", section.max_version)?.unwrap_or(TlsVersion::Tls13);
    if min_version > max_version {
        return Err(fault("has a min_version above its max_version"));
    }
    Ok(Some(TlsSettings { cert, key, clients, min_version, max_version }))
}

/// Returns the file of a setting. Because messages show paths, a value that looks like a secret is rejected.
fn pem_file(key: String, file: &Spanned<String>, folder: &Path) -> Result<Pem, Fault> {
    let text = &file.value;
    let looks_secret = ["-----BEGIN", "://", "$2", "@", "\n"].iter().any(|sign| text.contains(sign));
    if text.is_empty() || looks_secret && !text.starts_with(['/', '.']) {
        let reason = format!("tls_server_config: {key} must be the path of a file, not a URL or a secret");
        return Err(Fault::new(file.referenced.line(), reason));
    }
    Ok(Pem::File { path: folder.join(text), key })
}

/// Returns the rule for client certificates.
fn clients(
    policy: &Spanned<String>,
    authorities: Option<Pem>,
    fault: &dyn Fn(&str) -> Fault,
) -> Result<ClientCertificates, Fault> {
    let invalid = |reason: &str| {
        let reason = format!("tls_server_config: client_auth_type {reason}");
        Err(Fault::new(policy.referenced.line(), reason))
    };
    match (policy.value.as_str(), authorities) {
        ("NoClientCert", None) => Ok(ClientCertificates::NotRequested),
        ("NoClientCert", Some(_)) => Err(fault("has a client_ca, but client_auth_type: NoClientCert")),
        ("VerifyClientCertIfGiven", Some(pem)) => Ok(ClientCertificates::VerifiedIfGiven(pem)),
        ("RequireAndVerifyClientCert", Some(pem)) => Ok(ClientCertificates::Required(pem)),
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
            Err(fault("lacks client_ca_file"))
        }
        (policy @ ("RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert"), _) => {
            invalid(&format!(
                "{policy} is not supported, because it verifies nothing; use RequireAndVerifyClientCert"
            ))
        }
        _ => invalid("must be NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert"),
    }
}

/// Parses a version of TLS.
fn version(key: &str, text: Option<Spanned<String>>) -> Result<Option<TlsVersion>, Fault> {
    let Some(text) = text else { return Ok(None) };
    match text.value.as_str() {
        "TLS12" => Ok(Some(TlsVersion::Tls12)),
        "TLS13" => Ok(Some(TlsVersion::Tls13)),
        _ => {
            let reason =
                format!("tls_server_config: {key} must be TLS12 or TLS13, the versions that rustls supports");
            Err(Fault::new(text.referenced.line(), reason))
        }
    }
}
