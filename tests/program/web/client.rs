//! A client that sends exactly what a test gives it, with or without TLS.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

use crate::web::certificates::{Authority, Signed};

#[derive(Clone)]
pub(crate) struct Client {
    tls: Option<ClientConfig>,
    login: String,
    host: String,
    from: Ipv4Addr,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn plain() -> Self {
        Client { tls: None, login: String::new(), host: "marie".to_owned(), from: Ipv4Addr::LOCALHOST }
    }

    /// Returns a client that uses TLS and trusts this authority.
    pub(crate) fn trusting(authority: &Authority) -> Self {
        Self::over_tls(authority, None, &[&version::TLS12, &version::TLS13])
    }

    /// Returns a client that uses TLS with a client certificate.
    pub(crate) fn showing(authority: &Authority, own: &Signed) -> Self {
        Self::over_tls(authority, Some(own), &[&version::TLS12, &version::TLS13])
    }

    pub(crate) fn over_tls(
        authority: &Authority,
        own: Option<&Signed>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => config.with_no_client_auth(),
            Some(own) => {
                let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        // Prometheus offers the same protocols.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Client { tls: Some(config), ..Self::plain() }
    }

    pub(crate) fn logging_in(self, name: &str, password: &str) -> Self {
        self.authorized_by(&format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}"))))
    }

    /// Sets the header Authorization.
    pub(crate) fn authorized_by(self, authorization: &str) -> Self {
        Client { login: format!("Authorization: {authorization}\r\n"), ..self }
    }

    /// Sets the header Host.
    pub(crate) fn with_host(&self, host: &str) -> Self {
        Client { host: host.to_owned(), ..self.clone() }
    }

    /// Connects from this address of the loopback.
    pub(crate) fn from(self, from: Ipv4Addr) -> Self {
        Client { from, ..self }
    }

    pub(crate) async fn connect(&self, address: &str) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.from, 0)))?;
        socket.connect(address.parse().unwrap()).await
    }

    /// Performs the TLS handshake.
    pub(crate) async fn encrypt(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let tls = TlsConnector::from(Arc::new(self.tls.clone().unwrap()));
        tls.connect(ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST)), stream).await
    }

    pub(crate) async fn get(&self, address: &str, path: &str) -> io::Result<Answer> {
        self.request(address, "GET", path, "").await
    }

    /// Sends a request. `rest` contains further headers and the body.
    pub(crate) async fn request(
        &self,
        address: &str,
        method: &str,
        path: &str,
        rest: &str,
    ) -> io::Result<Answer> {
        let end = if rest.is_empty() { "\r\n" } else { rest };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{}{end}", self.host, self.login);
        let stream = self.connect(address).await?;
        let answer = async {
            match &self.tls {
                None => exchange(stream, &request).await,
                Some(_) => exchange(self.encrypt(stream).await?, &request).await,
            }
        };
        tokio::time::timeout(Duration::from_mins(1), answer).await.expect("an answer within a minute")
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> io::Result<Answer> {
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let nonsense = || io::Error::new(ErrorKind::InvalidData, text.clone());
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(nonsense)?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).ok_or_else(nonsense)?;
    let status = status.parse().map_err(|_| nonsense())?;
    Ok(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
}
