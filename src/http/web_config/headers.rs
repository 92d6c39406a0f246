//! The section `http_server_config`: headers of each response.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::error::Fault;

/// The section as YAML.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    headers: Option<Headers>,
    http2: Option<Spanned<String>>,
}

/// The headers that the format knows.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Headers {
    #[serde(rename = "Content-Security-Policy")]
    content_security_policy: Option<Spanned<String>>,
    #[serde(rename = "Strict-Transport-Security")]
    strict_transport_security: Option<Spanned<String>>,
    #[serde(rename = "X-Content-Type-Options")]
    x_content_type_options: Option<Spanned<String>>,
    #[serde(rename = "X-Frame-Options")]
    x_frame_options: Option<Spanned<String>>,
    #[serde(rename = "X-XSS-Protection")]
    x_xss_protection: Option<Spanned<String>>,
}

/// Returns the configured headers.
pub(super) fn headers(section: Section) -> Result<HeaderMap, Fault> {
    if let Some(http2) = section.http2.filter(|http2| http2.value != "false") {
        let reason =
            "http_server_config: http2 can only be false, because each connection is one HTTP/1.1 request";
        return Err(Fault::new(http2.referenced.line(), reason));
    }
    let given = section.headers.unwrap_or_default();
    let mut headers = HeaderMap::new();
    for (name, allowed, value) in [
        ("Content-Security-Policy", &[][..], given.content_security_policy),
        ("Strict-Transport-Security", &[], given.strict_transport_security),
        ("X-Content-Type-Options", &["nosniff"], given.x_content_type_options),
        ("X-Frame-Options", &["deny", "sameorigin"], given.x_frame_options),
        ("X-XSS-Protection", &[], given.x_xss_protection),
    ] {
        // In this format, an empty value leaves the header out.
        let Some(value) = value.filter(|value| !value.value.is_empty()) else { continue };
        let fault = |reason: String| {
            Fault::new(value.referenced.line(), format!("http_server_config: headers: {name} {reason}"))
        };
        if !allowed.is_empty() && !allowed.contains(&value.value.as_str()) {
            return Err(fault(format!("must be {}", allowed.join(" or "))));
        }
        match (HeaderName::try_from(name), HeaderValue::try_from(&value.value)) {
            (Ok(name), Ok(value)) => headers.insert(name, value),
            _ => return Err(fault("has characters that no header can have".to_owned())),
        };
    }
    Ok(headers)
}
