//! Whether a request is for a host name of this machine, which protects a loopback listener against DNS rebinding.
//!
//! In that attack a web page's owner lets the page's host name resolve to 127.0.0.1. A browser on this machine then reads
//! the exporter's responses for the page. The attacker needs a name that a public name server resolves.

use axum::http::uri::Authority;
use axum::http::{Request, header};

/// Whether the request's host is an IP address, `localhost`, a name without a dot, this machine's own name, or one in
/// /etc/hosts. A public name server resolves none of these.
pub(super) fn has_local_host<B>(request: &Request<B>) -> bool {
    let named = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("not.ascii"));
    // HTTP/1.0 has no host. Browsers do not use HTTP/1.0.
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

/// Returns the name of this machine and the lines of /etc/hosts. It reads both each time, because both can change.
fn own_names() -> Option<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").ok()?;
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(format!("- {own}\n{hosts}"))
}

/// Whether a text in the format of /etc/hosts contains this name.
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
                // Some of these are not valid URIs.
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
