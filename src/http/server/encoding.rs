//! Chooses the encoding of a response from the header Accept-Encoding (RFC 9110, section 12.5.3).

use axum::http::{HeaderMap, header};

/// An encoding in which the metrics are available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Gzip,
    Identity,
}

/// Returns the encoding for the response, or `None` if the client accepts neither.
pub fn choose(head: &HeaderMap) -> Option<Encoding> {
    let lines = head.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let (mut gzip, mut identity, mut others) = (None, None, None);
    for item in lines.flat_map(|line| line.split(',')) {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let weight = match parameters.trim().split_once('=') {
            Some((name, weight)) if name.trim().eq_ignore_ascii_case("q") => {
                weight.trim().parse().unwrap_or(0.0)
            }
            _ => 1.0_f32,
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "identity" => identity = Some(weight),
            "*" => others = Some(weight),
            _ => {}
        }
    }
    let gzip = gzip.or(others).unwrap_or(0.0);
    // A client that does not mention `identity` accepts it, but prefers each encoding that it does mention.
    let is_named = identity.is_some();
    let identity = identity.or(others.filter(|weight| *weight == 0.0)).unwrap_or(1.0);
    if gzip > 0.0 && (!is_named || gzip >= identity) {
        Some(Encoding::Gzip)
    } else if identity > 0.0 {
        Some(Encoding::Identity)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_follows_weights() {
        for (accept, encoding) in [
            ("", Some(Encoding::Identity)),
            ("gzip", Some(Encoding::Gzip)),
            ("GZIP", Some(Encoding::Gzip)),
            ("x-gzip", Some(Encoding::Gzip)),
            ("deflate, gzip;q=0.8", Some(Encoding::Gzip)),
            ("gzip, *;q=0.1", Some(Encoding::Gzip)),
            ("*", Some(Encoding::Gzip)),
            ("gzip;q=0.5, identity", Some(Encoding::Identity)),
            ("identity;q=0.5, gzip ; Q=0.5", Some(Encoding::Gzip)),
            ("gzip;q=0", Some(Encoding::Identity)),
            ("gzip;q=nonsense", Some(Encoding::Identity)),
            ("br", Some(Encoding::Identity)),
            ("br;q=1, *;q=0", None),
            ("identity;q=0", None),
            ("identity;q=0.0, br", None),
            ("identity;q=0, gzip", Some(Encoding::Gzip)),
            ("*;q=0, identity", Some(Encoding::Identity)),
            ("*;q=0, gzip", Some(Encoding::Gzip)),
        ] {
            let head = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accept.parse().unwrap())]);
            assert_eq!(choose(&head), encoding, "{accept}");
        }
        assert_eq!(choose(&HeaderMap::new()), Some(Encoding::Identity));
    }
}
