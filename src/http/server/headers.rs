//! The headers of every response.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Allows no scripts, no styles and nothing from elsewhere. A page with a style sets its own policy.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Adds the configured headers, and defaults for those that neither the route nor the configuration sets.
pub(super) fn complete(headers: &mut HeaderMap, configured: &HeaderMap) {
    let defaults: [(HeaderName, HeaderValue); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(value);
    }
    headers.extend(configured.clone());
}
