//! Unix sockets, and sockets that systemd has opened.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use crate::support::process::{Process, command, output, text};

const DATABASE: &str = "postgres://marie@127.0.0.1:1/none";

fn scrape(mut stream: impl Read + Write) -> String {
    // Over a Unix socket every host is accepted.
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: marie.example\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn serve(path: &Path) -> Process {
    let address = format!("unix:{}", path.display());
    let mut process =
        Process::start(command(&["serve", "--database-url", DATABASE, "--web.listen-address", &address]), 0);
    process.until_logged("serving");
    process
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[test]
fn unix_socket_serves_and_is_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("marie.sock");
    let process = serve(&path);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let answer = scrape(UnixStream::connect(&path).unwrap());
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\nmarie_up 0\n"), "{answer}");
    let address = format!("unix:{}", path.display());
    assert_eq!(output(&["healthy", "--web.listen-address", &address]).status.code(), Some(0));

    let second = output(&["serve", "--database-url", DATABASE, "--web.listen-address", &address]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("another process listens there"), "{}", text(&second.stderr));
    assert!(is_socket(&path));
    let (status, _, log) = process.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!path.exists());
}

#[test]
fn stale_socket_is_replaced_and_other_files_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("marie.sock");
    serve(&path).end("KILL");
    assert!(is_socket(&path), "nothing is left behind");
    let process = serve(&path);
    assert!(scrape(UnixStream::connect(&path).unwrap()).starts_with("HTTP/1.1 200"));
    // A file that the exporter did not create stays.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "important").unwrap();
    process.end("TERM");
    let address = format!("unix:{}", path.display());
    let refused = output(&["serve", "--database-url", DATABASE, "--web.listen-address", &address]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("not a socket"), "{}", text(&refused.stderr));
    assert_eq!(fs::read_to_string(&path).unwrap(), "important");
}

/// Starts `serve` with this socket, passed as systemd does.
fn activated(socket: impl Into<OwnedFd>) -> Process {
    let mut shell = Command::new("/bin/sh");
    let passed =
        "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; exec \"$0\" \"$@\"";
    shell.env_clear().args(["-c", passed, env!("CARGO_BIN_EXE_marie-exporter"), "serve"]);
    shell.args(["--web.systemd-socket", "--database-url", DATABASE]);
    let mut process = Process::start_with_input(shell, 0, std::process::Stdio::from(socket.into()));
    process.until_logged("serving");
    process
}

#[test]
fn sockets_of_systemd_are_served() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let process = activated(listener);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\nmarie_up 0\n"), "{answer}");
    assert!(process.log.contains(&address.to_string()), "{}", process.log);
    assert!(!process.log.contains("10187"), "{}", process.log);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("marie.sock");
    let process = activated(UnixListener::bind(&path).unwrap());
    assert!(scrape(UnixStream::connect(&path).unwrap()).starts_with("HTTP/1.1 200"));
    process.end("TERM");
    assert!(path.exists(), "the socket is systemd's");
}

#[test]
fn missing_socket_of_systemd_is_an_error() {
    let ended = output(&["serve", "--web.systemd-socket", "--database-url", DATABASE]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(text(&ended.stderr).contains("systemd has passed no socket"), "{}", text(&ended.stderr));
}
