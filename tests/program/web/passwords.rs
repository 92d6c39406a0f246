//! Login by name and password: which routes need it, and the responses without it.

use crate::web::client::Client;
use crate::web::exporter::{Exporter, HASH, PASSWORD, TLS, users};

const ROUTES: [&str; 5] = ["/metrics", "/", "/-/healthy", "/-/ready", "/nowhere"];

#[tokio::test]
async fn routes_except_health_require_the_password() {
    let exporter = Exporter::serve(&users("alice", &HASH));
    let address = exporter.address();
    let alice = Client::plain().logging_in("alice", PASSWORD);
    for path in ["/metrics", "/", "/nowhere", "/-/", "/-/healthy/", "//-/healthy", "/-/ready/.."] {
        for (who, client) in [
            ("without", Client::plain()),
            ("wrong", Client::plain().logging_in("alice", "hunter3")),
            ("empty", Client::plain().logging_in("alice", "")),
            ("unknown", Client::plain().logging_in("bob", PASSWORD)),
            ("the hash", Client::plain().logging_in("alice", &HASH)),
            ("another scheme", Client::plain().authorized_by("Bearer YWxpY2U6aHVudGVyMiBvZiBtYXJpZQ==")),
            ("no base64", Client::plain().authorized_by("Basic alice:hunter2 of marie")),
        ] {
            for method in ["GET", "HEAD", "POST", "OPTIONS", "BREW"] {
                let answer = client.request(address, method, path, "").await.unwrap();
                assert_eq!(answer.status, 401, "{who} {method} {path}");
                assert!(answer.head.contains("www-authenticate: basic realm="), "{}", answer.head);
                assert!(!answer.body.contains("marie"), "{}", answer.body);
            }
        }
    }
    for path in &ROUTES[..4] {
        let (get, head) = (
            alice.get(address, path).await.unwrap(),
            alice.request(address, "HEAD", path, "").await.unwrap(),
        );
        assert!([200, 503].contains(&get.status), "{path}: {}", get.status);
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        assert!(!get.body.is_empty());
    }
    assert_eq!(alice.get(address, "/nowhere").await.unwrap().status, 404);
}

#[tokio::test]
async fn health_needs_no_login_and_reveals_only_the_status() {
    let exporter = Exporter::serve(&users("alice", &HASH));
    for client in [Client::plain(), Client::plain().logging_in("alice", "hunter3")] {
        for (path, bodies) in
            [("/-/healthy", ["Healthy.\n", "Not healthy.\n"]), ("/-/ready", ["Ready.\n", "Not ready.\n"])]
        {
            let answer = client.get(exporter.address(), path).await.unwrap();
            assert!([200, 503].contains(&answer.status), "{path}: {}", answer.status);
            assert!(bodies.contains(&answer.body.as_str()), "{path}: {}", answer.body);
            let answer = client.request(exporter.address(), "POST", path, "").await.unwrap();
            assert_eq!(answer.status, 405, "{path}");
        }
    }
}

#[tokio::test]
async fn other_methods_are_refused_and_bodies_not_read() {
    let exporter = Exporter::serve("");
    let client = Client::plain();
    for path in &ROUTES[..4] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            // The client announces a body and sends no byte of it.
            let answer =
                client.request(exporter.address(), method, path, "Content-Length: 1000000\r\n\r\n").await;
            let answer = answer.unwrap();
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(answer.head.contains("allow: get,head"), "{}", answer.head);
        }
        let expecting = "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n";
        let answer = client.request(exporter.address(), "GET", path, expecting).await.unwrap();
        assert_ne!(answer.status, 100, "{path}");
    }
    let answer = client.request(exporter.address(), "CONNECT", "example:443", "").await.unwrap();
    assert!((400..500).contains(&answer.status), "{}", answer.status);
}

#[tokio::test]
async fn configured_headers_are_on_every_answer() {
    let headers =
        "http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=9}}\n";
    let exporter = Exporter::serve(&format!("{headers}{TLS}{}", users("alice", &HASH)));
    let stranger = Client::trusting(&exporter.authority);
    let alice = Client::trusting(&exporter.authority).logging_in("alice", PASSWORD);
    for (client, path, status) in [(&alice, "/", 200), (&alice, "/nowhere", 404), (&stranger, "/", 401)] {
        let answer = client.get(exporter.address(), path).await.unwrap();
        assert_eq!(answer.status, status);
        for header in ["x-frame-options: deny", "strict-transport-security: max-age=9"] {
            assert!(answer.head.contains(header), "{}", answer.head);
        }
    }
}

#[tokio::test]
async fn protective_headers_are_default_and_configurable() {
    let defaults = [
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "content-security-policy: default-src 'none'",
    ];
    let exporter = Exporter::serve("");
    for path in ["/", "/metrics", "/-/healthy", "/nowhere"] {
        let answer = Client::plain().get(exporter.address(), path).await.unwrap();
        for header in defaults {
            assert!(answer.head.contains(header), "{path}: {}", answer.head);
        }
    }
    let own =
        "http_server_config: {headers: {X-Frame-Options: sameorigin, Content-Security-Policy: img-src *}}";
    let exporter = Exporter::serve(own);
    let answer = Client::plain().get(exporter.address(), "/").await.unwrap();
    for (name, line) in [
        ("x-content-type-options", "x-content-type-options: nosniff"),
        ("x-frame-options", "x-frame-options: sameorigin"),
        ("content-security-policy", "content-security-policy: img-src *"),
    ] {
        assert!(answer.head.contains(line), "{}", answer.head);
        assert_eq!(answer.head.matches(name).count(), 1, "{}", answer.head);
    }
}

#[tokio::test]
async fn public_host_name_is_refused_on_loopback_without_login() {
    let ask = async |exporter: &Exporter, client: &Client, host: &str, path: &str| {
        client.with_host(host).get(exporter.address(), path).await.unwrap()
    };
    let open = Exporter::serve("");
    for path in ["/metrics", "/"] {
        let answer = ask(&open, &Client::plain(), "rebind.example", path).await;
        assert_eq!(answer.status, 421, "{path}");
        assert!(!answer.body.contains("marie_"), "{}", answer.body);
        for host in ["localhost:1", "127.0.0.1", "[::1]:1", "marie"] {
            assert_eq!(ask(&open, &Client::plain(), host, path).await.status, 200, "{host} {path}");
        }
    }
    assert_ne!(ask(&open, &Client::plain(), "rebind.example", "/-/healthy").await.status, 421);
    // After DNS rebinding, a browser has neither the password nor a host name of the certificate.
    let with_password = Exporter::serve(&users("alice", &HASH));
    let alice = Client::plain().logging_in("alice", PASSWORD);
    assert_eq!(ask(&with_password, &alice, "marie.example", "/metrics").await.status, 200);
    let with_tls = Exporter::serve(TLS);
    let client = Client::trusting(&with_tls.authority);
    assert_eq!(ask(&with_tls, &client, "marie.example", "/metrics").await.status, 200);
    let mut on_all_interfaces = Exporter::serve_with("", &["--web.listen-address=0.0.0.0:0"]);
    let line = on_all_interfaces.process.until_logged("http://0.0.0.0:");
    let port = line.split("0.0.0.0:").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    let answer =
        Client::plain().with_host("marie.example").get(&format!("127.0.0.1:{port}"), "/metrics").await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test]
async fn no_password_and_no_hash_is_in_the_log() {
    for format in ["text", "json"] {
        let web = format!("{TLS}{}", users("alice", &HASH));
        let exporter = Exporter::serve_with(&web, &["--log.level=trace", &format!("--log.format={format}")]);
        for (name, password) in [("alice", PASSWORD), ("alice", "hunter3"), ("hunter4", "x"), (PASSWORD, "")]
        {
            let client = Client::trusting(&exporter.authority).logging_in(name, password);
            client.get(exporter.address(), "/").await.unwrap();
        }
        exporter.replace("web.yml", &web.replace(&*HASH, "hunter5"));
        let mut exporter = exporter;
        exporter.process.until_logged("stays in force");
        let (_, _, log) = exporter.process.end("TERM");
        assert!(!log.contains("hunter") && !log.contains(HASH.as_str()), "{log}");
    }
}
