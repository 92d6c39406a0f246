//! Parser of libpq's connection URIs, `postgres://user:password@host:port,host:port/database?keyword=value`.
//!
//! Input: a URI. Output: libpq's keywords with their values. The crate `url` cannot parse them, because web URLs have no
//! empty host after a user, no list of hosts, and no zone of an IPv6 address. No error repeats a part of the URI, because
//! a misplaced part may be the password.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

/// Returns the keywords that `uri` sets, in its order; the error is a reason that follows "the database URL".
pub(super) fn keywords(uri: &str) -> Result<Vec<(String, String)>, String> {
    let rest = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| uri.strip_prefix(scheme))
        .ok_or("must begin with postgres:// or postgresql://")?;
    check_characters(rest)?;
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let mut keywords = Vec::new();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            keywords.push((name.to_owned(), value));
        }
    };
    // The last @ ends the password, because users forget to encode an @ in it.
    let (account, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    add("user", decoded(user)?);
    add("password", decoded(password)?);
    let hosts = hosts.split(',').map(host_and_port).collect::<Result<Vec<_>, String>>()?;
    let joined = |part: fn(&(String, String)) -> &str| hosts.iter().map(part).collect::<Vec<_>>().join(",");
    if hosts.iter().any(|(host, _)| !host.is_empty()) {
        add("host", joined(|(host, _)| host));
    }
    if hosts.iter().any(|(_, port)| !port.is_empty()) {
        add("port", joined(|(_, port)| port));
    }
    add("dbname", decoded(path.strip_prefix('/').unwrap_or(path))?);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or("is not valid: a parameter has no value")?;
        match (decoded(name)?.as_str(), decoded(value)?) {
            // Java's drivers use this form.
            ("ssl", value) if value == "true" => keywords.push(("sslmode".to_owned(), "require".to_owned())),
            (name, value) => keywords.push((name.to_owned(), value)),
        }
    }
    Ok(keywords)
}

/// Splits `host:port` and `[address]:port`. Each part may be missing.
fn host_and_port(text: &str) -> Result<(String, String), String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or("is not valid: invalid IPv6 address")?;
        let address = decoded(address)?;
        let without_zone = address.split('%').next().unwrap_or_default();
        without_zone.parse::<Ipv6Addr>().map_err(|_| "is not valid: invalid IPv6 address")?;
        (address, port)
    } else {
        let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        (decoded(host)?, port)
    };
    let port = match port.strip_prefix(':') {
        Some(port) => decoded(port)?,
        None if port.is_empty() => String::new(),
        None => return Err("is not valid: invalid IPv6 address".to_owned()),
    };
    Ok((host, port))
}

/// Returns the percent-decoded text.
fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|error| format!("is not valid: {error}"))?;
    // PostgreSQL's protocol ends texts with NUL.
    if decoded.contains('\0') { Err("is not valid: %00".to_owned()) } else { Ok(Cow::into_owned(decoded)) }
}

/// Rejects / ? # in the password if they are not encoded. "u:1/x@host" would otherwise be host u and port 1, and errors
/// could show the rest of the password as the name of a database.
fn check_characters(rest: &str) -> Result<(), String> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    if tail.contains('#') || path.contains('@') || query.contains('@') && !authority.contains('@') {
        return Err("has a reserved character: in user, password and database name write \
                    / as %2F, ? as %3F, # as %23, @ as %40"
            .to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_uri_is_parsed() {
        for (uri, expected) in [
            ("postgres://", ""),
            ("postgresql://u:p@h:1/d", "user=u password=p host=h port=1 dbname=d"),
            ("postgres://u:p@[::1]:1/d", "user=u password=p host=::1 port=1 dbname=d"),
            ("postgres://[fe80::1%25eth0]", "host=fe80::1%eth0"),
            ("postgres://u@/d?host=/s", "user=u dbname=d host=/s"),
            ("postgres://u:p@:5/d?host=::1", "user=u password=p port=5 dbname=d host=::1"),
            ("postgres://%2Fsocket%3Acolon:5", "host=/socket:colon port=5"),
            ("postgres://a:1,[::1],c:3/d", "host=a,::1,c port=1,,3 dbname=d"),
            ("postgres:///d?ssl=true&options=-c%20a=b+c", "dbname=d sslmode=require options=-c a=b+c"),
            ("postgres://u:a@b:c%40@h", "user=u password=a@b:c@ host=h"),
            ("postgres://h//d/e?", "host=h dbname=/d/e"),
        ] {
            let found: Vec<String> = keywords(uri)
                .unwrap_or_default()
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            assert_eq!(found.join(" "), expected, "{uri}");
        }
    }
}
