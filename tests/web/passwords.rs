//! Who is let in by name and password, and what the others are told.

use crate::client::Client;
use crate::exporter::{Exporter, HASH, PASSWORD, TLS, users};

const ROUTES: [&str; 5] = ["/metrics", "/", "/-/healthy", "/-/ready", "/nowhere"];

#[tokio::test]
async fn every_route_asks_for_the_password() {
    let exporter = Exporter::serve(&users("alice", &HASH));
    let address = exporter.address();
    let alice = Client::plain().logging_in("alice", PASSWORD);
    for path in ROUTES {
        for (who, client) in [
            ("without", Client::plain()),
            ("wrong", Client::plain().logging_in("alice", "hunter3")),
            ("empty", Client::plain().logging_in("alice", "")),
            ("unknown", Client::plain().logging_in("bob", PASSWORD)),
            ("the hash", Client::plain().logging_in("alice", &HASH)),
            ("another scheme", Client::plain().saying("Bearer YWxpY2U6aHVudGVyMiBvZiBtYXJpZQ==")),
            ("no base64", Client::plain().saying("Basic alice:hunter2 of marie")),
        ] {
            for method in ["GET", "HEAD", "POST", "OPTIONS", "BREW"] {
                let answer = client.ask(address, method, path, "").await.unwrap();
                assert_eq!(answer.status, 401, "{who} {method} {path}");
                assert!(answer.head.contains("www-authenticate: basic realm="), "{}", answer.head);
                assert!(!answer.body.contains("marie"), "{}", answer.body);
            }
        }
    }
    for path in &ROUTES[..4] {
        let (get, head) =
            (alice.get(address, path).await.unwrap(), alice.ask(address, "HEAD", path, "").await.unwrap());
        assert!([200, 503].contains(&get.status), "{path}: {}", get.status);
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        assert!(!get.body.is_empty());
    }
    assert_eq!(alice.get(address, "/nowhere").await.unwrap().status, 404);
}

#[tokio::test]
async fn only_get_and_head_are_answered_and_no_body_is_waited_for() {
    let exporter = Exporter::serve("");
    let client = Client::plain();
    for path in &ROUTES[..4] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            // Of this body not one byte is sent.
            let answer =
                client.ask(exporter.address(), method, path, "Content-Length: 1000000\r\n\r\n").await;
            let answer = answer.unwrap();
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(answer.head.contains("allow: get,head"), "{}", answer.head);
        }
        let expecting = "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n";
        let answer = client.ask(exporter.address(), "GET", path, expecting).await.unwrap();
        assert_ne!(answer.status, 100, "{path}");
    }
    let answer = client.ask(exporter.address(), "CONNECT", "example:443", "").await.unwrap();
    assert!((400..500).contains(&answer.status), "{}", answer.status);
}

#[tokio::test]
async fn the_headers_are_on_every_answer() {
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
