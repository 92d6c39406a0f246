//! `marie-exporter healthy`, and the health routes on a separate address.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Output;

use crate::support::process::{command, output, text};
use crate::web::client::Client;
use crate::web::exporter::{Exporter, TLS};

/// Runs `healthy` as a container's HEALTHCHECK does, and asserts its exit status.
fn ends_with(asked: &Output, code: i32, told: &str) {
    let said = format!("{}{}", text(&asked.stdout), text(&asked.stderr));
    assert_eq!(asked.status.code(), Some(code), "{said}");
    assert!(said.contains(told), "{told:?} is not in {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

fn ask(flags: &[&str]) -> Output {
    output(&[&["healthy"], flags].concat())
}

/// Where the exporter serves health alone.
fn health_address(exporter: &mut Exporter) -> String {
    let line = exporter.process.until_logged("health=");
    line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

#[test]
fn healthy_finds_a_running_exporter() {
    let plain = Exporter::serve("");
    ends_with(&ask(&["--web.listen-address", plain.address()]), 0, "Healthy.");
    // All interfaces include the loopback.
    let port = plain.address().rsplit(':').next().unwrap();
    for everywhere in [format!(":{port}"), format!("0.0.0.0:{port}")] {
        ends_with(&ask(&["--web.listen-address", &everywhere]), 0, "Healthy.");
    }
    let mut by_variable = command(&["healthy"]);
    by_variable.env("MARIE_EXPORTER_WEB_LISTEN_ADDRESS", plain.address());
    ends_with(&by_variable.output().unwrap(), 0, "Healthy.");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    // The file of serve has settings that do not matter here.
    std::fs::write(&file, format!("web.listen-address: '{}'\nqueues.limit: 9\n", plain.address())).unwrap();
    ends_with(&ask(&["--config.file", file.to_str().unwrap()]), 0, "Healthy.");
}

#[test]
fn healthy_speaks_tls_or_says_what_to_do() {
    let users = crate::web::exporter::users("alice", &crate::web::exporter::HASH);
    let with_tls = Exporter::serve(&format!("{TLS}{users}"));
    let file = with_tls.path("web.yml").display().to_string();
    let flags = ["--web.config.file", &file, "--web.listen-address", with_tls.address()];
    ends_with(&ask(&flags), 0, "Healthy.");
    ends_with(&ask(&flags[2..]), 1, "does not respond");

    let required = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}";
    let mut strict = Exporter::serve_with(&TLS.replace('}', required), &["--web.health-address=127.0.0.1:0"]);
    let file = strict.path("web.yml").display().to_string();
    let flags = ["--web.config.file", &file, "--web.listen-address", strict.address()];
    ends_with(&ask(&flags), 1, "--web.health-address");
    let address = health_address(&mut strict);
    ends_with(&ask(&["--web.config.file", &file, "--web.health-address", &address]), 0, "Healthy.");
}

#[tokio::test]
async fn health_address_answers_health_alone() {
    let required = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}";
    let mut exporter =
        Exporter::serve_with(&TLS.replace('}', required), &["--web.health-address=127.0.0.1:0"]);
    let address = health_address(&mut exporter);
    for (path, statuses) in [
        ("/-/healthy", [200, 200]),
        ("/-/ready", [200, 503]),
        ("/", [404, 404]),
        ("/metrics", [404, 404]),
        ("/-/reload", [404, 404]),
    ] {
        let answer = Client::plain().get(&address, path).await.unwrap();
        assert!(statuses.contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.body.contains("marie"), "{path}: {}", answer.body);
    }
}

#[test]
fn healthy_fails_when_another_or_no_server_answers() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let answers = ["HTTP/1.1 503 Service Unavailable", "HTTP/1.1 404 Not Found", "220 mail ESMTP"];
    let server = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = taken.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            let _ = write!(stream, "{answer}\r\ncontent-length: 0\r\n\r\n");
        }
    });
    for told in ["a run of a collector has not ended", "status 404", "does not respond"] {
        ends_with(&ask(&["--web.listen-address", &address]), 1, told);
    }
    server.join().unwrap();
    ends_with(&ask(&["--web.listen-address", &address]), 1, "Connection refused");
    ends_with(&ask(&["--web.listen-address", "unix:/nowhere/marie.sock"]), 1, "No such file");
    ends_with(&ask(&["--web.listen-address", ":0"]), 1, "--web.health-address");
}
