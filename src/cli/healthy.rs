//! `marie-exporter healthy`: requests `/-/healthy` of a running exporter, for a container's HEALTHCHECK.
//!
//! Input: the web settings of `serve`, from the same environment or file. Output: success, or why the exporter is
//! [`Unhealthy`].

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::{ListenAddress, WebConfig};
use crate::http::tls;
use crate::http::web_config::{ClientCertificates, WebFile};
use crate::serve::HEALTHY;

/// Time limit. A healthy exporter responds within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why the exporter does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    #[error("the exporter is not healthy: a run of a collector has not ended; restart marie-exporter")]
    Hanging,
    #[error(
        "{address} does not respond: {reason}; start marie-exporter serve, or give this command the same \
         --web.listen-address or --web.health-address"
    )]
    NoResponse { address: ListenAddress, reason: String },
    #[error(
        "{address} responds with status {status}, which is not one of the exporter's; does another program listen there?"
    )]
    OtherProgram { address: ListenAddress, status: StatusCode },
    #[error("{0} requires a client certificate; give serve and this command a --web.health-address")]
    ClientCertificate(ListenAddress),
    #[error(
        "port 0 means a different port at each start; give serve and this command a --web.health-address with a port"
    )]
    NoPort,
    #[error("{0}")]
    WebFile(String),
}

/// Checks the exporter that runs with these settings.
pub async fn check(web: &WebConfig) -> Result<(), Unhealthy> {
    let (address, with_tls) = target(web)?;
    let no_response = |reason: String| Unhealthy::NoResponse { address: address.clone(), reason };
    let status = match timeout(TIMEOUT, connect(&address, with_tls)).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(no_response(format!("{error:#}"))),
        Err(_) => return Err(no_response(format!("timed out after {} s", TIMEOUT.as_secs()))),
    };
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::SERVICE_UNAVAILABLE => Err(Unhealthy::Hanging),
        status => Err(Unhealthy::OtherProgram { address, status }),
    }
}

/// Returns the address, and whether to use TLS.
fn target(web: &WebConfig) -> Result<(ListenAddress, bool), Unhealthy> {
    let (address, is_main) = match (&web.health_address, web.listen_addresses.first()) {
        (Some(address), _) => (address, false),
        (None, Some(address)) => (address, true),
        (None, None) => return Err(Unhealthy::NoPort),
    };
    let address = match address {
        ListenAddress::Tcp(address) if address.port() == 0 => return Err(Unhealthy::NoPort),
        ListenAddress::Tcp(address) => ListenAddress::Tcp(reachable(*address)),
        ListenAddress::Unix(_) => address.clone(),
    };
    let file = if is_main { web.config_file.as_deref() } else { None };
    match file.map(client_certificates).transpose()?.flatten() {
        Some(ClientCertificates::Required(_)) => Err(Unhealthy::ClientCertificate(address)),
        Some(_) => Ok((address, true)),
        None => Ok((address, false)),
    }
}

/// Returns the rule for client certificates, or `None` without TLS.
fn client_certificates(path: &Path) -> Result<Option<ClientCertificates>, Unhealthy> {
    let file = WebFile::read(path).map_err(|error| Unhealthy::WebFile(error.to_string()))?;
    Ok(file.tls.map(|tls| tls.clients))
}

/// Returns the loopback address for one that means all interfaces.
fn reachable(address: SocketAddr) -> SocketAddr {
    // A listener on [::] accepts IPv4 too, and this machine may have no IPv6.
    let ip = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

/// Connects, and returns the status of the response.
async fn connect(address: &ListenAddress, with_tls: bool) -> anyhow::Result<StatusCode> {
    match address {
        ListenAddress::Unix(path) => encrypt(UnixStream::connect(path).await?, with_tls).await,
        ListenAddress::Tcp(address) => encrypt(TcpStream::connect(address).await?, with_tls).await,
    }
}

/// Adds TLS if needed, and returns the status of the response.
async fn encrypt(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    with_tls: bool,
) -> anyhow::Result<StatusCode> {
    if !with_tls {
        return status(stream).await;
    }
    let name = ServerName::try_from("localhost")?;
    status(tls::connector_to_any_server()?.connect(name, stream).await?).await
}

/// Sends the request, and returns the status of the response.
async fn status(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> anyhow::Result<StatusCode> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(HEALTHY).header(header::HOST, "localhost").body(Body::empty())?;
    let status = sender.send_request(request).await?.status();
    connection.abort();
    Ok(status)
}
