//! Files that change while the exporter serves.

use std::time::{Duration, Instant};

use crate::support::process::{Process, send};
use crate::web::certificates::Authority;
use crate::web::client::Client;
use crate::web::exporter::{Exporter, HASH, PASSWORD, TLS, users};

const GAUGE: &str = "marie_exporter_web_config_last_reload_successful";

/// Requests the metrics until the response has this status; returns its body.
async fn until(exporter: &Exporter, client: &Client, status: u16) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let last = client.get(exporter.address(), "/metrics").await;
        let outcome = match last {
            Ok(answer) if answer.status == status => return answer.body,
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(Instant::now() < deadline, "waited in vain for {status}; the last was {outcome}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

#[tokio::test]
async fn renewed_certificate_is_served_without_restart() {
    let mut exporter = Exporter::serve(TLS);
    let before = Client::trusting(&exporter.authority);
    until(&exporter, &before, 200).await;
    // Another authority signs it, so clients that trust the old certificate reject the new one.
    let next = Authority::new();
    let after = Client::trusting(&next);
    assert!(after.get(exporter.address(), "/metrics").await.is_err());
    exporter.renew(&next.sign("127.0.0.1"));
    until(&exporter, &after, 200).await;
    assert!(before.get(exporter.address(), "/metrics").await.is_err());
    exporter.process.until_logged("web configuration reloaded");
}

#[tokio::test]
async fn sighup_reloads_an_unchanged_file() {
    let mut exporter = Exporter::serve(TLS);
    send("HUP", exporter.process.id());
    exporter.process.until_logged("web configuration reloaded");
    until(&exporter, &Client::trusting(&exporter.authority), 200).await;
}

#[tokio::test]
async fn sighup_without_a_web_file_is_ignored() {
    let mut process = Process::serve("postgres://marie@127.0.0.1:1/none", &[]);
    send("HUP", process.id());
    process.until_logged("--web.config.file is not set");
    let address = process.address().trim_start_matches("http://").to_owned();
    assert_eq!(Client::plain().get(&address, "/-/healthy").await.unwrap().status, 200);
    let (status, _, log) = process.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn changed_users_take_effect_on_reload() {
    let exporter = Exporter::serve(&users("alice", &HASH));
    let (alice, bob) =
        (Client::plain().logging_in("alice", PASSWORD), Client::plain().logging_in("bob", "bob's"));
    until(&exporter, &alice, 200).await;
    until(&exporter, &bob, 401).await;
    exporter.replace("web.yml", &users("bob", &bcrypt::hash("bob's", 4).unwrap()));
    until(&exporter, &bob, 200).await;
    // The cached login is no longer accepted.
    until(&exporter, &alice, 401).await;
}

#[tokio::test]
async fn invalid_web_file_keeps_old_settings_and_is_logged() {
    let good = format!("{TLS}{}", users("alice", &HASH));
    let mut exporter = Exporter::serve(&good);
    let alice = Client::trusting(&exporter.authority).logging_in("alice", PASSWORD);
    let stranger = Client::trusting(&exporter.authority);
    let key = std::fs::read_to_string(exporter.path("server.key")).unwrap();
    let another = exporter.authority.sign("127.0.0.1").key;
    for (web, key, expected) in [
        ("tls_server_config: [", key.as_str(), "there must be a mapping of keys and values"),
        (&good.replace("cert_file", "certfile"), &key, "unknown key \"certfile\""),
        (&good.replace("server.crt", "missing.crt"), &key, "missing.crt cannot be read"),
        (&good, &another, "is not the key of"),
        (&good, "", "holds no private key"),
        // A half-written file gives no access.
        ("", &key, "no longer requires TLS"),
        (TLS, &key, "no longer requires passwords"),
    ] {
        exporter.replace("web.yml", web);
        exporter.replace("server.key", key);
        let line = exporter.process.until_logged(expected);
        assert!(
            line.contains("ERROR") && line.contains("the previous web configuration stays in force"),
            "{line}"
        );
        assert!(line.contains("web.yml"), "{line}");
        let metrics = until(&exporter, &alice, 200).await;
        assert!(metrics.contains(&format!("\n{GAUGE} 0\n")), "{expected}: {metrics}");
        assert_eq!(stranger.get(exporter.address(), "/metrics").await.unwrap().status, 401, "{expected}");
    }
    exporter.replace("web.yml", &good);
    exporter.process.until_logged("web configuration reloaded");
    assert!(until(&exporter, &alice, 200).await.contains(&format!("\n{GAUGE} 1\n")));
}

#[tokio::test]
async fn reload_may_tighten_access_but_not_loosen_it() {
    let mut exporter = Exporter::serve("");
    until(&exporter, &Client::plain(), 200).await;
    let login = users("alice", &HASH);
    exporter.replace("web.yml", &login);
    until(&exporter, &Client::plain(), 401).await;
    let required = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}";
    exporter.replace("web.yml", &format!("{}{login}", TLS.replace('}', required)));
    let own = exporter.authority.sign("prometheus");
    until(&exporter, &Client::showing(&exporter.authority, &own).logging_in("alice", PASSWORD), 200).await;
    assert!(Client::plain().get(exporter.address(), "/metrics").await.is_err());

    for clients in ["", ", client_ca_file: ca.crt, client_auth_type: VerifyClientCertIfGiven"] {
        exporter.replace("web.yml", &format!("{}{login}", TLS.replace('}', &format!("{clients}}}"))));
        exporter.process.until_logged("no longer requires client certificates");
        let without = Client::trusting(&exporter.authority).logging_in("alice", PASSWORD);
        assert!(without.get(exporter.address(), "/metrics").await.is_err(), "{clients}");
    }
}
