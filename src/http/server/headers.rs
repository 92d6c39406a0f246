//! The headers of every answer, and the names under which a browser may ask.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, header};
/// No scripts, no styles and nothing from elsewhere. A page with a style sets its own policy.
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

/// Whether the request's host is a name that no public name server resolves: an IP address, `localhost`, a name without a
/// dot, or one that this machine gives itself or lists in /etc/hosts.
///
/// On a listener for this machine alone, another name can only be a page's in a browser here, whose owner has it resolve
/// to 127.0.0.1 to read the answers (DNS rebinding).
pub(super) fn has_local_host<B>(request: &Request<B>) -> bool {
    let named = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("not.ascii"));
    // HTTP/1.0 has no host, and no browser speaks it.
    let Some(host) = request.uri().authority().map(Authority::as_str).or(named) else {
        return true;
    };
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    };
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host.parse::<std::net::Ipv4Addr>().is_ok()
        || !host.contains('.')
        || host.ends_with(".localhost")
        || own_names().is_some_and(|names| is_among(&names, &host))
}

/// The name of this machine and the lines of /etc/hosts, read each time because both can change.
fn own_names() -> Option<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").ok()?;
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(format!("- {own}\n{hosts}"))
}

/// Whether a text in the format of /etc/hosts has this name.
fn is_among(hosts: &str, name: &str) -> bool {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut names = lines.flat_map(|line| line.split_whitespace().skip(1));
    names.any(|listed| listed.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_local_without_a_public_name() {
        for (host, is_local) in [
            ("localhost", true),
            ("LOCALHOST:10187", true),
            ("localhost.:10187", true),
            ("marie.localhost", true),
            ("127.0.0.1:10187", true),
            ("10.0.0.5:10187", true),
            ("[::1]:10187", true),
            ("[::1]", true),
            ("marie:10187", true),
            ("rebind.example:10187", false),
            ("127.0.0.1.rebind.example", false),
            ("localhost.rebind.example:10187", false),
            ("rebind.example.:10187", false),
            ("notlocalhost.example", false),
            ("[::1].rebind.example", false),
            ("\u{e4}.example", false),
        ] {
            let request = Request::builder().header(header::HOST, host.as_bytes()).body(()).unwrap();
            assert_eq!(has_local_host(&request), is_local, "{host}");
            if host.is_ascii() {
                let absolute = Request::builder().uri(format!("http://{host}/")).header("host", "localhost");
                // Some of these are no URI at all.
                if let Ok(absolute) = absolute.body(()) {
                    assert_eq!(has_local_host(&absolute), is_local, "{host} in the request line");
                }
            }
        }
        assert!(has_local_host(&Request::new(())));
    }

    #[test]
    fn names_of_etc_hosts_are_local() {
        let hosts = "- db1.corp.example\n127.0.0.1\tmarie.corp.example marie # other.example\n#10.0.0.1 old.example\n\n::1";
        for (name, is_listed) in [
            ("db1.corp.example", true),
            ("marie.corp.example", true),
            ("Marie.Corp.Example", true),
            ("other.example", false),
            ("old.example", false),
            ("corp.example", false),
            ("127.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(is_among(hosts, name), is_listed, "{name}");
        }
    }
}
