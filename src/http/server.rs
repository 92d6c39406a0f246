//! Accepts HTTP connections and serves the routes of the caller, behind logins and with limits on each client.
//!
//! Input: a [`Listener`], a router and the web configuration in force, [`crate::http::reload::Access`]. [`places`] limits
//! the number of connections, [`idle`] the silence of a client, [`middleware`] checks each request.
//!
//! Connections are accepted here because `axum::serve` gives hyper no timer. Without one, a client that sends half a
//! request holds its connection for ever.

pub mod body;
pub mod encoding;
mod headers;
mod idle;
mod listener;
mod local_host;
mod middleware;
pub mod places;

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::middleware::from_fn_with_state;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::idle::Watched;
pub use self::listener::{ListenError, Listener};
use self::middleware::{Checks, Peer};
use self::places::{Place, Places};
use crate::http::auth::Authenticator;
use crate::http::reload::Access;

/// Time limit for a TLS handshake, and for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for a whole connection, so that a slow reader cannot hold its place.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// Time that open connections have to end when the process ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// The smallest buffer that hyper allows. Prometheus's requests need a few hundred bytes.
const HEAD_SIZE: usize = 8 * 1024;

/// What rustls may buffer for a client that does not read: one record.
const TLS_BUFFER: usize = 16 * 1024;

/// Action that runs once the client has received all of a response. A response carries it as an extension.
#[derive(Clone)]
pub struct AfterSent(pub Arc<dyn Fn() + Send + Sync>);

/// Routes with their middleware and limits, shared by the listeners that serve the same.
pub struct Server {
    routes: TowerToHyperService<Router>,
    access: watch::Receiver<Arc<Access>>,
    places: Arc<Places>,
}

/// One accepted connection.
struct Connection {
    peer: Peer,
    place: Arc<Place>,
}

impl Server {
    /// Puts the middleware around `routes`. All paths but `open_paths` need a login if `access` has users.
    ///
    /// Fails if the system has no random numbers.
    pub fn new(
        routes: Router,
        open_paths: &'static [&'static str],
        access: watch::Receiver<Arc<Access>>,
        places: Arc<Places>,
    ) -> anyhow::Result<Self> {
        let authenticator = Authenticator::new().context("the system has no random numbers")?;
        let checks = Arc::new(Checks { open_paths, authenticator });
        // The last layer is the outermost: a rejected request gets the headers too.
        let routes = routes
            .layer(from_fn_with_state(Arc::clone(&checks), middleware::authenticate))
            .layer(from_fn_with_state(checks, middleware::reject_foreign_host))
            .layer(axum::middleware::from_fn(middleware::add_headers));
        Ok(Self { routes: TowerToHyperService::new(routes), access, places })
    }

    /// Serves one connection: the TLS handshake, if any, and one request.
    async fn serve_connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        connection: &Connection,
        watcher: Watcher,
    ) {
        let stream = Watched::new(stream, Arc::clone(&connection.place));
        let ended = match &connection.peer.access.acceptor {
            None => self.serve_request(stream, connection, watcher).await,
            Some(acceptor) => match timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(mut stream)) => {
                    stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
                    self.serve_request(stream, connection, watcher).await
                }
                Ok(Err(error)) => return debug!(%error, "a TLS handshake failed"),
                Err(_) => return debug!("a TLS handshake timed out"),
            },
        };
        // Only that client is affected, if it disconnects early or sends no valid HTTP.
        if let Err(error) = ended {
            debug!(%error, "a connection ended early");
        }
    }

    async fn serve_request(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        connection: &Connection,
        watcher: Watcher,
    ) -> hyper::Result<()> {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_SIZE);
        // A scrape every few seconds gains nothing from a connection kept open. One request for each connection makes the
        // time of a connection easy to limit.
        http.keep_alive(false);
        let sent = OnceLock::new();
        let service = service_fn(async |mut request: hyper::Request<Incoming>| {
            connection.place.set_idle(false);
            request.extensions_mut().insert(connection.peer.clone());
            let mut response = self.routes.call(request).await?;
            if let Some(after_sent) = response.extensions_mut().remove::<AfterSent>() {
                // It is empty, because a connection has one request.
                let _ = sent.set(after_sent);
            }
            Ok::<_, Infallible>(response)
        });
        watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await?;
        // hyper returns after it has written the whole body.
        if let Some(AfterSent(action)) = sent.get() {
            action();
        }
        Ok(())
    }
}

/// Accepts and serves connections until `shutdown` is cancelled, then waits shortly for open ones to end.
pub async fn serve(listener: Listener, server: Arc<Server>, shutdown: CancellationToken) {
    let connections = GracefulShutdown::new();
    loop {
        let (stream, client) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
            () = shutdown.cancelled() => break,
        };
        // Meanwhile other clients wait in the kernel's queue.
        let place = tokio::select! {
            place = server.places.take(client) => Arc::new(place),
            () = shutdown.cancelled() => break,
        };
        let access = Arc::clone(&server.access.borrow());
        let peer = Peer { client, access, is_loopback: listener.is_loopback };
        let connection = Connection { peer, place };
        let (server, watcher) = (Arc::clone(&server), connections.watcher());
        tokio::spawn(async move {
            tokio::select! {
                // In this order, so that what has arrived by now is read before the connection counts as idle.
                biased;
                ended = timeout(CONNECTION_TIMEOUT, server.serve_connection(stream, &connection, watcher)) => {
                    if ended.is_err() {
                        debug!("a connection timed out");
                    }
                }
                () = connection.place.ended() => debug!("an idle connection was closed, because others waited"),
            }
        });
    }
    // Connections that are still open then are cut off.
    let _ = timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await;
}

/// Pauses after a failed accept. Without file descriptors, accepting again at once would spin.
async fn pause_after(error: &io::Error) {
    warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
