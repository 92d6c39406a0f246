//! Tests of the web configuration: what is accepted, and the errors for what is not.

use std::path::Path;

use super::*;

/// Hashes in the three variants that tools produce.
const HASHES: [&str; 3] = [
    "$2y$04$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe",
    "$2a$10$WAE0bOhQKMNe7ESfvFyk0uk5mQqwhn8VgRLwhRfg1XYWWL4yAXZcG",
    "$2b$12$WApznUOJfkEGSmYRfnkrPOr466oFDCaj4b6HY3EXGPLqTXLJbBZxa",
];

fn read(text: &str) -> Result<WebFile, WebConfigError> {
    WebFile::parse(text, Path::new("/etc/marie/web.yml"))
}

fn message(text: &str) -> String {
    read(text).err().expect("it is refused").to_string()
}

#[test]
fn empty_file_sets_nothing() {
    for text in ["", "\n", "# nothing\n", "---\n"] {
        assert!(read(text).is_ok_and(|web| web == WebFile::default()), "{text:?}");
    }
}

#[test]
fn typical_file_is_parsed() {
    let web = read(&format!(
        "tls_server_config:\n  cert_file: server.crt\n  key_file: /keys/server.key\n\
         basic_auth_users:\n  prometheus: {}\n  \"two words\": '{}'\n  12: {}\n",
        HASHES[0], HASHES[1], HASHES[2]
    ))
    .unwrap_or_else(|error| panic!("{error}"));
    let tls = web.tls.unwrap();
    assert_eq!(tls.cert.name(), "cert_file /etc/marie/server.crt", "relative to the file's folder");
    assert_eq!(tls.key.name(), "key_file /keys/server.key");
    assert!(matches!(tls.clients, ClientCertificates::NotRequested));
    assert!(tls.min_version == TlsVersion::Tls12 && tls.max_version == TlsVersion::Tls13);
    let users: Vec<_> = web.users.iter().map(|(name, hash)| (name.as_str(), hash.cost)).collect();
    assert_eq!(users, [("12", 12), ("prometheus", 4), ("two words", 10)]);
    assert!(web.headers.is_empty());
}

#[test]
fn each_supported_key_is_parsed() {
    let web = read(
        "tls_server_config:\n  cert: |\n    certificate\n  key: |\n    key\n  client_ca: authority\n  \
         client_auth_type: RequireAndVerifyClientCert\n  min_version: TLS13\n  max_version: TLS13\n\
         http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n    \
         X-Content-Type-Options: nosniff\n    X-XSS-Protection: 0\n    \
         Strict-Transport-Security: max-age=31536000; includeSubDomains\n    Content-Security-Policy: ''\n",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let tls = web.tls.unwrap();
    assert_eq!(tls.cert.read().unwrap(), b"certificate\n");
    assert_eq!(tls.key.read().unwrap(), b"key\n");
    assert!(matches!(&tls.clients, ClientCertificates::Required(pem) if pem.name() == "client_ca"));
    assert!(tls.min_version == TlsVersion::Tls13);
    let headers: Vec<_> =
        web.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(
        headers,
        [
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "deny"),
            ("x-xss-protection", "0"),
        ],
        "a blank one is not set"
    );
}

#[test]
fn client_auth_type_selects_client_certificates() {
    let tls = |rest: &str| format!("tls_server_config: {{cert_file: c, key_file: k, {rest}}}");
    let clients = |rest: &str| read(&tls(rest)).ok().and_then(|web| web.tls).unwrap().clients;
    assert!(matches!(clients("client_auth_type: NoClientCert"), ClientCertificates::NotRequested));
    let given = "client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca";
    assert!(matches!(clients(given), ClientCertificates::VerifiedIfGiven(_)));
}

#[test]
fn file_without_settings_is_the_default() {
    for text in
        ["", "# all commented out\n", "tls_server_config:\nbasic_auth_users: {}\nhttp_server_config:\n"]
    {
        assert!(read(text).unwrap_or_else(|error| panic!("{error}")) == WebFile::default(), "{text:?}");
    }
}

#[test]
fn wrong_key_or_value_is_reported_with_line() {
    let tls = "tls_server_config:\n  cert_file: c\n  key_file: k\n";
    let tls = |rest: &str| format!("{tls}  {rest}\n");
    for (text, expected) in [
        (
            "rate_limit: {interval: 1s, burst: 2}".to_owned(),
            "line 1: rate_limit is not supported, leave it out: ",
        ),
        (
            tls("cipher_suites: [TLS_AES_128_GCM_SHA256]"),
            "line 4: cipher_suites is not supported, leave it out: ",
        ),
        (tls("prefer_server_cipher_suites: true"), "line 4: prefer_server_cipher_suites is not supported, "),
        (tls("curve_preferences: [X25519]"), "line 4: curve_preferences is not supported, leave it out: "),
        (tls("client_allowed_sans: [a]"), "line 4: client_allowed_sans is not supported, leave it out: "),
        (
            tls("client_auth_type: RequireAnyClientCert"),
            "/etc/marie/web.yml, line 4: tls_server_config: client_auth_type RequireAnyClientCert is not supported, \
             because it verifies nothing; use RequireAndVerifyClientCert",
        ),
        (tls("client_auth_type: Sometimes"), "must be NoClientCert, VerifyClientCertIfGiven or Require"),
        (
            tls("client_auth_type: RequireAndVerifyClientCert"),
            "line 2: tls_server_config lacks client_ca_file",
        ),
        (tls("client_ca_file: ca"), "has a client_ca, but no client_auth_type: RequireAndVerifyClientCert"),
        (
            tls("client_ca_file: ca\n  client_auth_type: NoClientCert"),
            "has a client_ca, but client_auth_type: NoClientCert",
        ),
        (
            tls("min_version: TLS11"),
            "/etc/marie/web.yml, line 4: tls_server_config: min_version must be TLS12 or TLS13, the versions that",
        ),
        (tls("min_version: TLS13\n  max_version: TLS12"), "has a min_version above its max_version"),
        (tls("cert: inline"), "has both cert and cert_file; keep one of them"),
        (
            tls("certfile: c"),
            "line 4: unknown key \"certfile\"; the keys here are cert, cert_file, client_auth_type, client_ca, ",
        ),
        ("tls_server_config: {key_file: k}".to_owned(), "line 1: tls_server_config lacks cert_file"),
        ("tls_server_config: {cert_file: c}".to_owned(), "line 1: tls_server_config lacks key_file"),
        ("tls_server_config: {min_version: TLS13}".to_owned(), "line 1: tls_server_config lacks cert_file"),
        ("tls_server_config: [c, k]".to_owned(), "line 1: there must be a mapping of keys and values"),
        (
            "tls: {}".to_owned(),
            "line 1: unknown key \"tls\"; the keys here are tls_server_config, http_server_config, ",
        ),
        (
            "http_server_config: {http2: true}".to_owned(),
            "line 1: http_server_config: http2 can only be false, because",
        ),
        (
            "http_server_config: {http3: true}".to_owned(),
            "line 1: unknown key \"http3\"; the keys here are headers, http2",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: maybe}}".to_owned(),
            "line 1: http_server_config: headers: X-Frame-Options must be deny or sameorigin",
        ),
        ("http_server_config: {headers: {Server: x}}".to_owned(), "unknown key \"Server\""),
        (
            "http_server_config: {headers: {Content-Security-Policy: \"a\\nb\"}}".to_owned(),
            "has characters that no header can have",
        ),
        (
            "basic_auth_users: {alice: hunter2}".to_owned(),
            "line 1: basic_auth_users: \"alice\" is not a bcrypt hash",
        ),
        (
            format!("basic_auth_users: {{alice: {}}}", HASHES[0].replace("$04$", "$32$")),
            "basic_auth_users: \"alice\" has a cost that is not from 4 to 31",
        ),
        ("basic_auth_users: {alice: }".to_owned(), "basic_auth_users: \"alice\" has no value"),
        (
            format!("basic_auth_users: {{'a:b': {}}}", HASHES[0]),
            "can never log in, because a name ends at its first colon",
        ),
    ] {
        let told = message(&text);
        assert!(told.contains(expected), "{text}: {expected:?} is not in {told:?}");
        assert!(told.contains("/etc/marie/web.yml"), "the file is not named: {told}");
    }
}

#[test]
fn messages_contain_no_hash_and_no_password() {
    let hash = "$2y$04$hunter2";
    for text in [
        format!("basic_auth_users: {{alice: {hash}}}"),
        format!("basic_auth_users: {{alice: [{hash}]}}"),
        format!("basic_auth_users: {{alice: {{a: {hash}}}}}"),
        format!("basic_auth_users: {hash}"),
        format!("basic_auth_users: [{hash}]"),
        format!("basic_auth_users:\n  alice: {hash}\n  alice: {hash}"),
        format!("basic_auth_users:\n  alice: '{hash}\n"),
        format!("basic_auth_users:\n  alice: {hash}: x"),
        format!("basic_auth_users: {{{hash}: alice}}"),
        format!("{hash}: alice\n{hash}: alice"),
        format!("tls_server_config: {{cert_file: {hash}, key_file: k}}"),
        format!("tls_server_config: {{cert_file: c, key_file: k, min_version: {hash}}}"),
        "tls_server_config: {cert_file: c, key_file: '-----BEGIN PRIVATE KEY-----hunter2'}".to_owned(),
        "basic_auth_users: {alice: *hunter2}".to_owned(),
        "tls_server_config: {cert_file: c, key: [hunter2]}".to_owned(),
        "tls_server_config: {cert_file: c, key_file: k, key: hunter2}".to_owned(),
    ] {
        let told = message(&text);
        assert!(!told.contains("hunter2"), "{text}: {told}");
    }
}
