//! Accepts HTTP connections, checks logins and adds headers; the routes come from the caller.
//!
//! `axum::serve` gives hyper no timer, and without one a client that sends half a request holds its connection for ever.
//! So connections are accepted here, with limits on their number, on a head's size and time, on the time that a client
//! leaves its answer unread, and on the whole. TLS, logins and headers follow [`crate::http::reload`]; health needs no login.

pub mod body;
pub mod encoding;
mod headers;
mod idle;
mod listener;
pub mod places;

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
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
use self::places::{Place, Places};
use crate::http::auth::{Logins, Verdict};
use crate::http::client::Client;
use crate::http::reload::Access;

/// For a TLS handshake, and for a request's head, to arrive in full.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// For all of a connection, so that a client that reads slowly cannot hold its place.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// When the process ends, its connections have this long to end as well.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// The smallest buffer that hyper takes; Prometheus's requests need a few hundred bytes.
const HEAD_SIZE: usize = 8 * 1024;

/// What rustls keeps for a client that does not read: one record.
const TLS_BUFFER: usize = 16 * 1024;

/// Action of a response, run once the client has received all of it. A response carries it as an extension.
#[derive(Clone)]
pub struct AfterSent(pub Arc<dyn Fn() + Send + Sync>);

/// What listeners share that answer the same.
pub struct Front {
    /// Paths that need no login.
    open_paths: &'static [&'static str],
    routes: TowerToHyperService<Router>,
    logins: Logins,
    access: watch::Receiver<Arc<Access>>,
    places: Arc<Places>,
}

/// One connection of a client.
struct Connection {
    client: Client,
    place: Arc<Place>,
    access: Arc<Access>,
    /// Whether the request must be for a local name.
    is_loopback: bool,
}

impl Front {
    /// Serves `routes` to clients that `access` admits; `open_paths` need no login.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(
        routes: Router,
        open_paths: &'static [&'static str],
        access: watch::Receiver<Arc<Access>>,
        places: Arc<Places>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            open_paths,
            routes: TowerToHyperService::new(routes),
            logins: Logins::new().context("the system has no random numbers")?,
            access,
            places,
        })
    }

    /// Answers one connection, which has one request.
    async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        connection: &Connection,
        watcher: Watcher,
    ) {
        let stream = Watched::new(stream, Arc::clone(&connection.place));
        let ended = match &connection.access.acceptor {
            None => self.answer(stream, connection, watcher).await,
            Some(acceptor) => match timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(mut stream)) => {
                    stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
                    self.answer(stream, connection, watcher).await
                }
                Ok(Err(error)) => return debug!(%error, "a TLS handshake failed"),
                Err(_) => return debug!("a TLS handshake did not end in time"),
            },
        };
        // A client that leaves early or sends nonsense harms only itself.
        if let Err(error) = ended {
            debug!(%error, "a connection ended early");
        }
    }

    async fn answer(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        connection: &Connection,
        watcher: Watcher,
    ) -> hyper::Result<()> {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_SIZE);
        // A scrape every few seconds gains nothing from a connection kept open, and one request each makes the time of
        // a connection easy to bound.
        http.keep_alive(false);
        let sent = OnceLock::new();
        let service = service_fn(async |request| {
            connection.place.set_idle(false);
            let mut response = self.respond(request, connection).await?;
            if let Some(after_sent) = response.extensions_mut().remove::<AfterSent>() {
                // There is one request on a connection.
                let _ = sent.set(after_sent);
            }
            Ok::<_, Infallible>(response)
        });
        watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await?;
        // Only now the body is written to its end.
        if let Some(AfterSent(action)) = sent.get() {
            action();
        }
        Ok(())
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Result<Response, Infallible> {
        let file = connection.access.file();
        let is_open = file.users.is_empty() && connection.access.acceptor.is_none();
        let mut response = if self.open_paths.contains(&request.uri().path()) {
            self.routes.call(request).await?
        } else if connection.is_loopback && is_open && !headers::has_local_host(&request) {
            let reason = "This address is for clients on this machine, by an IP address, localhost, or a name in /etc/hosts; see docs/operations.md.\n";
            (StatusCode::MISDIRECTED_REQUEST, reason).into_response()
        } else {
            match self.logins.judge(&file.users, request.headers(), connection.client).await {
                Verdict::Welcome => self.routes.call(request).await?,
                Verdict::Stranger => {
                    let challenge = "Basic realm=\"marie-exporter\", charset=\"UTF-8\"";
                    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], "Unauthorized\n")
                        .into_response()
                }
                Verdict::Busy => (StatusCode::TOO_MANY_REQUESTS, "Too many logins at once\n").into_response(),
            }
        };
        headers::complete(response.headers_mut(), &file.headers);
        Ok(response)
    }
}

/// Serves until `shutdown` is cancelled, then lets open connections end.
pub async fn serve(listener: Listener, front: Arc<Front>, shutdown: CancellationToken) {
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
            place = front.places.take(client) => Arc::new(place),
            () = shutdown.cancelled() => break,
        };
        let access = Arc::clone(&front.access.borrow());
        let connection = Connection { client, place, access, is_loopback: listener.is_loopback };
        let (front, watcher) = (Arc::clone(&front), connections.watcher());
        tokio::spawn(async move {
            tokio::select! {
                // First, so that what has arrived by now is read before the connection counts as idle.
                biased;
                ended = timeout(CONNECTION_TIMEOUT, front.converse(stream, &connection, watcher)) => {
                    if ended.is_err() {
                        debug!("a client was too slow");
                    }
                }
                () = connection.place.ended() => debug!("a connection was idle while others waited"),
            }
        });
    }
    // A client that has not read its answer by then will not.
    let _ = timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await;
}

/// Waits, because without file descriptors accepting again at once would spin.
async fn pause_after(error: &io::Error) {
    warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
