//! The HTTP side: `/metrics` from memory, a landing page, health. No route touches the database.
//!
//! `axum::serve` gives hyper no timer, and without one a client that sends half a request holds its
//! connection for ever; so connections are accepted here, with a limit on their number and on the head's
//! size and time. A TLS handshake has as long as a head, and every route asks for the password where there is one.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tracing::{debug, warn};

use crate::access::Access;
use crate::auth::{Logins, Verdict};
use crate::landing;
use crate::runner::Exporter;
use crate::shutdown::ends;
use crate::snapshot::Page;

/// More scrapers than anybody has, and well below the usual limit of open files, which is 1024.
const CONNECTIONS: usize = 512;

/// Connections that wait in the kernel's queue, as far as the system allows. Of a thousand scrapers at once the usual 128
/// would turn most away, to come back seconds later, and now and then to be cut off.
const BACKLOG: u32 = 1024;

/// For a request's head to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// For all of a connection, so that a client that does not read its answer cannot hold its place.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// What is under way when the process is told to end gets this long.
const FAREWELL: Duration = Duration::from_secs(1);

/// The smallest buffer that hyper takes; Prometheus's requests need a few hundred bytes.
const HEAD_SIZE: usize = 8 * 1024;

/// The text format of Prometheus, with the character set that browsers otherwise guess.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}; give another address with --web.listen-address")]
pub struct ListenError {
    address: SocketAddr,
    /// Not a source, which would be told a second time behind the message.
    reason: io::Error,
}

/// Binds all addresses before anything is served, within the runtime that will serve them.
///
/// # Errors
/// When one of them cannot be had.
pub fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    for &address in addresses {
        listeners.push(bind(address).map_err(|reason| ListenError { address, reason })?);
    }
    Ok(listeners)
}

/// `:10187` means all interfaces, which is `[::]` but for hosts without IPv6.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match bind_to(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && error.kind() != ErrorKind::AddrInUse => {
            bind_to((Ipv4Addr::UNSPECIFIED, address.port()).into()).map_err(|_| error)
        }
        bound => bound,
    }
}

/// As [`TcpListener::bind`] does it, but for the queue.
fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart finds the address still taken by connections that are ending.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What all listeners share.
pub struct Front {
    routes: TowerToHyperService<Router>,
    logins: Logins,
    access: watch::Receiver<Arc<Access>>,
    room: Arc<Semaphore>,
}

impl Front {
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(exporter: Arc<Exporter>, access: watch::Receiver<Arc<Access>>) -> anyhow::Result<Self> {
        Ok(Self {
            routes: TowerToHyperService::new(router(exporter)),
            logins: Logins::new().context("the system has no random numbers")?,
            access,
            room: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    /// Answers one connection, which is one request.
    async fn converse(&self, stream: TcpStream, from: IpAddr, watcher: Watcher) {
        let access = Arc::clone(&self.access.borrow());
        let ended = match &access.acceptor {
            None => self.answer(stream, from, &access, watcher).await,
            Some(acceptor) => match timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.answer(stream, from, &access, watcher).await,
                Ok(Err(error)) => return debug!(%error, "a TLS handshake failed"),
                Err(_) => return debug!("a TLS handshake did not end in time"),
            },
        };
        // A client that goes away or sends nonsense is its own affair.
        if let Err(error) = ended {
            debug!(%error, "a connection ended early");
        }
    }

    async fn answer(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        from: IpAddr,
        access: &Access,
        watcher: Watcher,
    ) -> hyper::Result<()> {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_SIZE);
        // A scrape every few seconds gains nothing from a connection kept open, and one request each makes
        // the time of a connection easy to bound.
        http.keep_alive(false);
        let sent = OnceLock::new();
        let service = service_fn(async |request| {
            let mut response = self.respond(request, from, access).await?;
            if let Some(page) =
                response.extensions_mut().remove::<Page>().filter(|_| response.status().is_success())
            {
                // There is one request on a connection.
                let _ = sent.set(page);
            }
            Ok::<_, Infallible>(response)
        });
        watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await?;
        // Only now the body is written to its end. An aborted scrape does not count.
        if let Some(page) = sent.get() {
            page.record_scrape();
        }
        Ok(())
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        from: IpAddr,
        access: &Access,
    ) -> Result<Response, Infallible> {
        let file = access.file();
        let mut response = match self.logins.judge(&file.users, request.headers(), from).await {
            Verdict::Welcome => self.routes.call(request).await?,
            Verdict::Stranger => {
                let challenge = "Basic realm=\"marie-exporter\", charset=\"UTF-8\"";
                (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], "Unauthorized\n")
                    .into_response()
            }
            Verdict::Busy => (StatusCode::TOO_MANY_REQUESTS, "Too many logins at once\n").into_response(),
        };
        response.headers_mut().extend(file.headers.clone());
        Ok(response)
    }
}

/// Serves until `shutdown` turns true, then lets what is under way end.
pub async fn serve(listener: TcpListener, front: Arc<Front>, mut shutdown: watch::Receiver<bool>) {
    let connections = GracefulShutdown::new();
    loop {
        // Beyond the limit, clients wait in the kernel's queue until others are done or timed out.
        let accepted = async {
            let place = Arc::clone(&front.room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream, from) = tokio::select! {
            (place, accepted) = accepted => match accepted {
                Ok((stream, from)) => (place, prompt(stream), from.ip()),
                Err(error) => {
                    refused(&error).await;
                    continue;
                }
            },
            () = ends(&mut shutdown) => break,
        };
        let (front, watcher) = (Arc::clone(&front), connections.watcher());
        tokio::spawn(async move {
            if timeout(CONNECTION_TIMEOUT, front.converse(stream, from, watcher)).await.is_err() {
                debug!("a client did not read its answer");
            }
            drop(place);
        });
    }
    // Whoever has not read its answer by then will not.
    let _ = timeout(FAREWELL, connections.shutdown()).await;
}

/// Answers are written in one piece; waiting to fill a packet would only delay them.
fn prompt(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "a connection keeps its delay");
    }
    stream
}

/// Out of file descriptors, most likely: accepting again at once would spin.
async fn refused(error: &io::Error) {
    warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn router(exporter: Arc<Exporter>) -> Router {
    let telemetry_path = exporter.config.web.telemetry_path.clone();
    Router::new()
        .route(&telemetry_path, get(metrics))
        // Fastest: 10,000 series take 1.6 ms, and the best level a tenth less text for ten times that.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .route("/", get(async |State(exporter): State<Arc<Exporter>>| landing::page(&exporter)))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .with_state(exporter)
}

async fn metrics(method: Method, State(exporter): State<Arc<Exporter>>) -> Response {
    match exporter.page() {
        Ok((mut text, page)) => {
            for collected in &page.0 {
                text.extend_from_slice(&collected.bytes);
            }
            let mut response =
                ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], Bytes::from(text)).into_response();
            if method == Method::GET {
                response.extensions_mut().insert(page);
            }
            response
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn healthy(State(exporter): State<Arc<Exporter>>) -> (StatusCode, &'static str) {
    if exporter.status.is_healthy() {
        (StatusCode::OK, "marie-exporter is healthy.\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "A collector has not come back from a run; restart marie-exporter.\n",
        )
    }
}

async fn ready(State(exporter): State<Arc<Exporter>>) -> (StatusCode, &'static str) {
    if exporter.status.is_ready() {
        (StatusCode::OK, "marie-exporter is ready.\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Not every collector has run once.\n")
    }
}
