//! The files of a TLS connection: the authorities, the client's certificate and its key.
//!
//! They are read here before the driver reads them, because the driver's errors do not name the file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::database_url::DatabaseUrlError;
use super::keywords::Keywords;

/// The keywords that name a file.
pub(super) const TLS_FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

/// The value of `sslrootcert` for the system's authorities, which the driver always trusts.
pub(super) const SYSTEM: &str = "system";

/// Most bytes that are read of a file. The authorities of a whole system take a quarter of this.
const LIMIT: u64 = 1 << 20;

/// Reads and checks the files. Returns warnings.
pub(super) fn check(keywords: &Keywords) -> Result<Vec<String>, DatabaseUrlError> {
    let mut warnings = Vec::new();
    for (setting, path) in files(keywords) {
        let content = read(&path).map_err(|source| DatabaseUrlError::UnreadableTls {
            setting,
            path: path.clone(),
            source,
        })?;
        let fault = if setting == "sslkey" { key_fault(&content) } else { certificate_fault(&content) };
        if let Some(reason) = fault {
            return Err(DatabaseUrlError::UnusableTls { setting, path, reason });
        }
        if setting == "sslkey" {
            warnings.extend(readable_by_all(&path));
        }
    }
    Ok(warnings)
}

/// Adds the files to the driver's options, or the PEM text that is given in place of a path.
pub(super) fn add(keywords: &Keywords, options: PgConnectOptions) -> PgConnectOptions {
    TLS_FILES.into_iter().fold(options, |options, setting| match (setting, keywords.get(setting)) {
        (_, None) => options,
        // Overrides libpq's variable, which the driver has read already. An empty file adds no authority.
        ("sslrootcert", Some(value)) if value == SYSTEM => options.ssl_root_cert("/dev/null"),
        ("sslrootcert", Some(value)) if is_pem(&value) => options.ssl_root_cert_from_pem(value.into_bytes()),
        ("sslcert", Some(value)) if is_pem(&value) => options.ssl_client_cert_from_pem(value.into_bytes()),
        (_, Some(value)) if is_pem(&value) => options.ssl_client_key_from_pem(value.into_bytes()),
        ("sslrootcert", Some(value)) => options.ssl_root_cert(value),
        ("sslcert", Some(value)) => options.ssl_client_cert(value),
        (_, Some(value)) => options.ssl_client_key(value),
    })
}

/// Returns a warning if every user of this machine can read a file that contains a secret.
pub(super) fn readable_by_all(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let why = format!("{} can be read by every user (mode {mode:04o}); chmod 0600 it", path.display());
    (mode & 0o004 != 0).then_some(why)
}

/// Returns the paths of the files. PEM text is not among them, so that no message shows a key as a path.
fn files(keywords: &Keywords) -> Vec<(&'static str, PathBuf)> {
    let named = |setting| Some((setting, keywords.get(setting)?));
    let named = TLS_FILES.into_iter().filter_map(named);
    let is_not_file =
        |(setting, value): &(&str, String)| is_pem(value) || *setting == "sslrootcert" && value == SYSTEM;
    named
        .filter(|named| !is_not_file(named))
        .map(|(setting, value)| (setting, PathBuf::from(value)))
        .collect()
}

fn is_pem(value: &str) -> bool {
    value.contains("-----BEGIN")
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut content = Vec::new();
    fs::File::open(path)?.take(LIMIT).read_to_end(&mut content)?;
    Ok(content)
}

/// Returns why a file of certificates cannot be used, if so.
fn certificate_fault(content: &[u8]) -> Option<String> {
    let mut certificates = CertificateDer::pem_slice_iter(content).peekable();
    if certificates.peek().is_none() {
        return Some("it holds no certificate in PEM form".to_owned());
    }
    certificates.find_map(Result::err).map(|error| format!("it holds a damaged certificate: {error}"))
}

/// Returns why the file of a private key cannot be used, if so.
fn key_fault(content: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(content);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        let advice = "decrypt it with `openssl pkey -in FILE -out NEW`, and chmod 0600 the new file";
        return Some(format!("the key is encrypted, which the driver cannot read; {advice}"));
    }
    match PrivateKeyDer::from_pem_slice(content) {
        Ok(_) => None,
        Err(pem::Error::NoItemsFound) => Some("it holds no private key in PEM form".to_owned()),
        Err(error) => Some(format!("it holds a damaged key: {error}")),
    }
}
