//! The routes. Each answers from memory, without the database.
//!
//! Input: the exporter's snapshot, its own metrics and its run status. [`crate::http::server`] puts logins and limits
//! around the routes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::collect::exporter::Exporter;
use crate::collect::snapshot::gzip::{self, Deflated};
use crate::collect::snapshot::{Page, Text};
use crate::http::server::AfterSent;
use crate::http::server::body::Pieces;
use crate::http::server::encoding::{Encoding, choose};
use crate::http::server::places::Places;
use crate::serve::status_page;

/// Path that tells whether the process should be restarted.
pub(crate) const HEALTHY: &str = "/-/healthy";
/// Path that tells whether the first run has ended.
const READY: &str = "/-/ready";

/// Paths of [`health_routes`].
pub(super) const HEALTH_PATHS: &[&str] = &[HEALTHY, READY];

/// The text format of Prometheus, with the character set that browsers otherwise guess.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// With more open connections than this, scrapes share the text of the exporter's own metrics.
const CROWD: usize = 32;

/// How old that text may be.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// State of the route of the metrics.
struct Scrapes {
    exporter: Arc<Exporter>,
    places: Arc<Places>,
    /// The exporter's own metrics, and when their text was made.
    own: Mutex<Option<(Instant, Arc<Text>)>>,
}

/// Returns all routes.
pub(super) fn all_routes(exporter: Arc<Exporter>, places: Arc<Places>) -> Router {
    let scrapes = Scrapes { exporter: Arc::clone(&exporter), places, own: Mutex::default() };
    let metrics =
        Router::new().route(&exporter.config.web.telemetry_path, get(metrics)).with_state(Arc::new(scrapes));
    Router::new()
        .route("/", get(async |State(exporter): State<Arc<Exporter>>| status_page::page(&exporter)))
        .with_state(Arc::clone(&exporter))
        .merge(metrics)
        .merge(health_routes(exporter))
}

/// Returns the routes that need no login, because their response is only yes or no.
pub(super) fn health_routes(exporter: Arc<Exporter>) -> Router {
    Router::new()
        .route(
            HEALTHY,
            get(async |State(exporter): State<Arc<Exporter>>| {
                yes_or_no(exporter.run_status.is_healthy(), ["Healthy.\n", "Not healthy.\n"])
            }),
        )
        .route(
            READY,
            get(async |State(exporter): State<Arc<Exporter>>| {
                yes_or_no(exporter.run_status.is_ready(), ["Ready.\n", "Not ready.\n"])
            }),
        )
        .with_state(exporter)
}

/// Returns the response of a health route.
fn yes_or_no(is_well: bool, [yes, no]: [&'static str; 2]) -> (StatusCode, &'static str) {
    if is_well { (StatusCode::OK, yes) } else { (StatusCode::SERVICE_UNAVAILABLE, no) }
}

/// Answers a scrape. A GET whose response is sent in full is recorded; an aborted scrape does not count.
async fn metrics(method: Method, head: HeaderMap, State(scrapes): State<Arc<Scrapes>>) -> Response {
    let Some(encoding) = choose(&head) else {
        return (StatusCode::NOT_ACCEPTABLE, "The metrics are available as gzip or identity.\n")
            .into_response();
    };
    // First, because it withdraws stale samples, and the exporter's own metrics count the rest.
    let page = scrapes.exporter.snapshot.page();
    let pieces = match scrapes.own_metrics().and_then(|own| pieces(&own, &page, encoding)) {
        Ok(pieces) => pieces,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    let kind = [(header::CONTENT_TYPE, METRICS_CONTENT_TYPE), (header::VARY, "accept-encoding")];
    let mut response = (kind, Body::new(pieces)).into_response();
    if encoding == Encoding::Gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    if method == Method::GET {
        response.extensions_mut().insert(AfterSent(Arc::new(move || page.record_scrape())));
    }
    response
}

impl Scrapes {
    /// Returns the text of the exporter's own metrics. With many connections it is up to a second old, so that they cost
    /// little time and memory.
    fn own_metrics(&self) -> io::Result<Arc<Text>> {
        let mut own = self.own.lock();
        if let Some((since, text)) = &*own
            && since.elapsed() < SHARED_FOR
            && self.places.count() > CROWD
        {
            return Ok(Arc::clone(text));
        }
        let text = Arc::new(Text::new(self.exporter.own_text().map_err(io::Error::other)?.into()));
        *own = Some((Instant::now(), Arc::clone(&text)));
        Ok(text)
    }
}

/// Returns the body: the exporter's own metrics, then those of each collector.
fn pieces(own: &Text, page: &Page, encoding: Encoding) -> io::Result<Pieces> {
    let texts = std::iter::once(own).chain(page.0.iter().map(|text| &**text));
    Ok(match encoding {
        Encoding::Identity => texts.map(|text| text.bytes.clone()).collect(),
        Encoding::Gzip => {
            let deflated: Vec<&Deflated> = texts.map(Text::deflated).collect::<io::Result<_>>()?;
            gzip::stream(deflated).into_iter().collect()
        }
    })
}
