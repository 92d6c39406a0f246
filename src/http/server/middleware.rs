//! Middleware around the routes: rejects foreign host names, checks logins, and adds headers to each response.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::headers;
use super::local_host::has_local_host;
use crate::http::auth::{AuthResult, Authenticator};
use crate::http::client::Client;
use crate::http::reload::Access;

const FOREIGN_HOST: &str = "This address is for clients on this machine, by an IP address, localhost, or a name in /etc/hosts; see docs/operations.md.\n";

/// The sender of a request, an extension of it.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) client: Client,
    /// The web configuration in force when the connection was accepted.
    pub(super) access: Arc<Access>,
    /// Whether the listener is on a loopback address.
    pub(super) is_loopback: bool,
}

/// State of the middleware that rejects requests.
pub(super) struct Checks {
    /// Paths that need neither a login nor a local host name.
    pub(super) open_paths: &'static [&'static str],
    pub(super) authenticator: Authenticator,
}

impl Checks {
    fn are_needed(&self, request: &Request) -> bool {
        !self.open_paths.contains(&request.uri().path())
    }
}

/// Rejects a request for a public host name, if the listener is on loopback and neither TLS nor a login protects it.
pub(super) async fn reject_foreign_host(
    State(checks): State<Arc<Checks>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let is_unprotected = peer.access.file().users.is_empty() && peer.access.acceptor.is_none();
    if checks.are_needed(&request) && peer.is_loopback && is_unprotected && !has_local_host(&request) {
        return (StatusCode::MISDIRECTED_REQUEST, FOREIGN_HOST).into_response();
    }
    next.run(request).await
}

/// Lets a request through if it has the name and the password of a user, or if there are no users.
pub(super) async fn authenticate(
    State(checks): State<Arc<Checks>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if !checks.are_needed(&request) {
        return next.run(request).await;
    }
    let users = &peer.access.file().users;
    match checks.authenticator.check(users, request.headers(), peer.client).await {
        AuthResult::Allowed => next.run(request).await,
        AuthResult::Denied => {
            let challenge = "Basic realm=\"marie-exporter\", charset=\"UTF-8\"";
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], "Unauthorized\n")
                .into_response()
        }
        AuthResult::TooManyLogins => {
            (StatusCode::TOO_MANY_REQUESTS, "Too many logins at once\n").into_response()
        }
    }
}

/// Adds the default headers and those of the web configuration.
pub(super) async fn add_headers(Extension(peer): Extension<Peer>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    headers::complete(response.headers_mut(), &peer.access.file().headers);
    response
}
