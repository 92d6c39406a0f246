//! The section `http_server_config`: headers for every answer.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_saphyr::Spanned;

use super::{At, HTTP, refusal};
use crate::config::error::ConfigError;
use crate::config::file::Node;
use crate::config::sources::{mapping, scalar, shown};

/// The headers that may be set, and for some of them the only values, as in the toolkit.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

pub(super) fn read(section: Spanned<Node>, origin: At) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    for (key, node) in
        mapping(HTTP, "http_server_config: {headers: {X-Frame-Options: deny}}", section, origin)?
    {
        match key.value.as_str() {
            "headers" => {
                let example = "headers: {X-Frame-Options: deny}";
                for (key, node) in mapping("http_server_config: headers", example, node, origin)? {
                    headers.extend(header(&key, node, origin)?);
                }
            }
            "http2" => {
                let (text, origin) = scalar("http_server_config: http2", node, origin)?;
                if text != "false" {
                    let reason =
                        "http_server_config: http2 can only be false: each connection is one request of HTTP/1.1"
                            .to_owned();
                    return Err(ConfigError::Yaml { origin, reason });
                }
            }
            _ => return Err(refusal(HTTP, &key, origin, &["headers", "http2"])),
        }
    }
    Ok(headers)
}

/// None where the value is blank, which the format has for unset.
fn header(
    key: &Spanned<String>,
    node: Spanned<Node>,
    origin: At,
) -> Result<Option<(HeaderName, HeaderValue)>, ConfigError> {
    let Some((name, values)) = HEADERS.iter().find(|(name, _)| *name == key.value) else {
        return Err(refusal("http_server_config: headers", key, origin, &HEADERS.map(|(name, _)| name)));
    };
    if matches!(&node.value, Node::Scalar(text) if text.is_empty()) {
        return Ok(None);
    }
    let setting = format!("http_server_config: headers: {name}");
    let (text, origin) = scalar(&setting, node, origin)?;
    let wrong = |reason| ConfigError::Value { setting, value: shown("", text.as_ref()), origin, reason };
    if !values.is_empty() && !values.contains(&text.as_str()) {
        return Err(wrong(format!("must be {}", values.join(" or "))));
    }
    match (HeaderName::try_from(*name), HeaderValue::try_from(&text)) {
        (Ok(name), Ok(value)) => Ok(Some((name, value))),
        _ => Err(wrong("has characters that no header can have".to_owned())),
    }
}
