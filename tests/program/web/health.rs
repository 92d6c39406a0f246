//! `marie-exporter healthy`, and the health routes on a separate address.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Output;

use crate::support::process::{command, output, text};
use crate::web::client::Client;
use crate::web::exporter::{Exporter, TLS};

/// Asserts the exit status of `healthy`, and that it printed one line with this text.
fn assert_output(output: &Output, code: i32, expected: &str) {
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{printed}");
    assert!(printed.contains(expected), "{expected:?} is not in {printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
}

/// Runs `healthy` as a container's HEALTHCHECK does.
fn healthy(flags: &[&str]) -> Output {
    output(&[&["healthy"], flags].concat())
}

/// Returns the address on which the exporter serves only the health routes.
fn health_address(exporter: &mut Exporter) -> String {
    let line = exporter.process.until_logged("health=");
    line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

#[test]
fn healthy_finds_a_running_exporter() {
    let plain = Exporter::serve("");
    assert_output(&healthy(&["--web.listen-address", plain.address()]), 0, "Healthy.");
    // An address of all interfaces includes the loopback.
    let port = plain.address().rsplit(':').next().unwrap();
    for everywhere in [format!(":{port}"), format!("0.0.0.0:{port}")] {
        assert_output(&healthy(&["--web.listen-address", &everywhere]), 0, "Healthy.");
    }
    let mut by_variable = command(&["healthy"]);
    by_variable.env("MARIE_EXPORTER_WEB_LISTEN_ADDRESS", plain.address());
    assert_output(&by_variable.output().unwrap(), 0, "Healthy.");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    // The file of serve also has settings that healthy ignores.
    std::fs::write(&file, format!("web.listen-address: '{}'\nqueues.limit: 9\n", plain.address())).unwrap();
    assert_output(&healthy(&["--config.file", file.to_str().unwrap()]), 0, "Healthy.");
}

#[test]
fn healthy_speaks_tls_or_says_what_to_do() {
    let users = crate::web::exporter::users("alice", &crate::web::exporter::HASH);
    let with_tls = Exporter::serve(&format!("{TLS}{users}"));
    let file = with_tls.path("web.yml").display().to_string();
    let flags = ["--web.config.file", &file, "--web.listen-address", with_tls.address()];
    assert_output(&healthy(&flags), 0, "Healthy.");
    assert_output(&healthy(&flags[2..]), 1, "does not respond");

    let required = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}";
    let mut strict = Exporter::serve_with(&TLS.replace('}', required), &["--web.health-address=127.0.0.1:0"]);
    let file = strict.path("web.yml").display().to_string();
    let flags = ["--web.config.file", &file, "--web.listen-address", strict.address()];
    assert_output(&healthy(&flags), 1, "--web.health-address");
    let address = health_address(&mut strict);
    assert_output(&healthy(&["--web.config.file", &file, "--web.health-address", &address]), 0, "Healthy.");
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
    for expected in ["a run of a collector has not ended", "status 404", "does not respond"] {
        assert_output(&healthy(&["--web.listen-address", &address]), 1, expected);
    }
    server.join().unwrap();
    assert_output(&healthy(&["--web.listen-address", &address]), 1, "Connection refused");
    assert_output(&healthy(&["--web.listen-address", "unix:/nowhere/marie.sock"]), 1, "No such file");
    assert_output(&healthy(&["--web.listen-address", ":0"]), 1, "--web.health-address");
}
