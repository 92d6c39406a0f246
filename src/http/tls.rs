//! From `tls_server_config` to rustls: the certificate to show, the clients' certificates to ask for; and the client side
//! of `marie-exporter healthy`. The files
//! are read apart from that, so that whoever holds them can tell whether they have changed.

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

/// What is wrong with the certificates or the key, by the setting that names them.
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
    /// # Errors
    /// When one of them cannot be read.
    pub fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let read = |pem: &Pem| pem.read().map_err(|error| wrong(pem, format!("cannot be read: {error}")));
        Ok(Self {
            cert: read(&settings.cert)?,
            key: read(&settings.key)?,
            authorities: authorities(&settings.clients).map(read).transpose()?,
        })
    }
}

/// Makes of settings and files what accepts connections.
///
/// # Errors
/// When a file does not hold what it should, or the key is not the certificate's.
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

    // Of all in the process that have a provider, ours is named: there is no default to depend on.
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
                ClientCertificates::Required(_) | ClientCertificates::NotAsked => verifier,
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

/// Returns what connects to a server whoever it is. It is only for a question that contains no secret and whose answer is
/// none, to an address of this machine.
///
/// # Errors
/// When rustls does not support its own versions.
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

/// Accepts each certificate, if the server has its key.
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
        ClientCertificates::NotAsked => None,
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
