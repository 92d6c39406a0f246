//! TLS of the server, and of the client in `marie-exporter healthy`.
//!
//! Input: the section `tls_server_config` of [`super::web_config`] and the contents of its files. Output: rustls's
//! acceptor. [`Files`] are read separately, so that [`super::reload`] can compare them.

use std::fmt::Display;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::http::web_config::{ClientCertificates, Pem, TlsSettings, TlsVersion};

/// Why a certificate or key cannot be used, with the setting that names it.
#[derive(Debug, thiserror::Error)]
#[error("tls_server_config: {name} {reason}")]
pub struct TlsError {
    name: String,
    reason: String,
}

/// The contents of the files that `tls_server_config` names.
#[derive(PartialEq)]
pub struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
}

impl Files {
    /// Reads the files.
    pub fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let read = |pem: &Pem| pem.read().map_err(|error| wrong(pem, format!("cannot be read: {error}")));
        Ok(Self {
            cert: read(&settings.cert)?,
            key: read(&settings.key)?,
            authorities: authorities(&settings.clients).map(read).transpose()?,
        })
    }
}

/// Returns the acceptor of TLS connections. Fails if a file has invalid contents, or if the key and the certificate do
/// not belong together.
pub fn acceptor(settings: &TlsSettings, files: &Files) -> Result<TlsAcceptor, TlsError> {
    let cert = certificates(&settings.cert, &files.cert)?;
    let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            wrong(&settings.key, "holds no private key in PEM format, or one that is encrypted".to_owned())
        }
        error => unusable(&settings.key, error),
    })?;
    let versions: Vec<&SupportedProtocolVersion> = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)]
        .into_iter()
        .filter(|(version, _)| (settings.min_version..=settings.max_version).contains(version))
        .map(|(_, version)| version)
        .collect();

    // The provider is passed explicitly, because the process has no default one.
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| unusable(&settings.cert, error))?;
    let config = match (authorities(&settings.clients), &files.authorities) {
        (Some(pem), Some(authorities)) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(pem, authorities)? {
                roots.add(authority).map_err(|error| unusable(pem, error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match settings.clients {
                ClientCertificates::VerifiedIfGiven(_) => verifier.allow_unauthenticated(),
                ClientCertificates::Required(_) | ClientCertificates::NotRequested => verifier,
            };
            config.with_client_cert_verifier(verifier.build().map_err(|error| unusable(pem, error))?)
        }
        _ => config.with_no_client_auth(),
    };
    let mut config = config.with_single_cert(cert, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            wrong(&settings.key, format!("is not the key of {}", settings.cert.name()))
        }
        error @ rustls::Error::InvalidCertificate(_) => unusable(&settings.cert, error),
        error => unusable(&settings.key, error),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Returns a connector that does not verify the server's certificate.
///
/// It is only for addresses of this machine, and for a request and a response without secrets.
pub fn connector_to_any_server() -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AnyServer(Arc::clone(&provider)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12, &TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Accepts each certificate if the server has its key.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn authorities(clients: &ClientCertificates) -> Option<&Pem> {
    match clients {
        ClientCertificates::NotRequested => None,
        ClientCertificates::VerifiedIfGiven(pem) | ClientCertificates::Required(pem) => Some(pem),
    }
}

fn certificates(pem: &Pem, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(content)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(pem, error))?;
    if certificates.is_empty() {
        return Err(wrong(pem, "holds no certificate in PEM format".to_owned()));
    }
    Ok(certificates)
}

fn unusable(pem: &Pem, error: impl Display) -> TlsError {
    wrong(pem, format!("cannot be used: {error}"))
}

fn wrong(pem: &Pem, reason: String) -> TlsError {
    TlsError { name: pem.name(), reason }
}
