//! Each form of a host, in each place of the settings, with each TLS mode: the exporter connects if psql does.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;

use marie_exporter::demo::server::Server;
use once_cell::sync::Lazy;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::security::tls::Authority;
use crate::support::databases::run;
use crate::support::long_tests::is_long_run;
use crate::support::process::{command, text};

/// A server that listens on IPv4 and IPv6 with TLS on, and the folder with its authority.
pub(crate) struct Listening {
    pub(crate) server: Server,
    clients: TempDir,
}

static LISTENING: Lazy<Listening> = Lazy::new(|| {
    let server = Server::start_with(&[("listen_addresses", "127.0.0.1,::1")]).unwrap();
    let authority = Authority::new("listening");
    let names = ["localhost", "127.0.0.1", "::1"];
    let files = authority.certify(server.folder(), "server", "server", &names);
    let owner = fs::metadata(server.folder().join("data")).unwrap();
    for file in &files {
        chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let clients = tempfile::tempdir().unwrap();
    fs::write(clients.path().join("ca.crt"), &authority.certificate).unwrap();
    Listening { server, clients }
});

impl Listening {
    async fn prepare(&self) {
        let folder = self.server.folder();
        let mut admin = PgConnection::connect(&self.server.url("postgres")).await.unwrap();
        run(&mut admin, "select pg_advisory_lock(1)").await;
        for (setting, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
            let path = folder.join(file).display().to_string();
            run(&mut admin, &format!("alter system set {setting} = '{path}'")).await;
        }
        run(&mut admin, "alter system set ssl = on").await;
        run(&mut admin, "select pg_reload_conf()").await;
        let url = format!("{}?sslmode=require", self.server.url("postgres"));
        while PgConnection::connect(&url).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn authority(&self) -> PathBuf {
        self.clients.path().join("ca.crt")
    }
}

/// The settings of a client: a URL and variables.
#[derive(Debug)]
struct Given {
    url: String,
    variables: Vec<(&'static str, String)>,
}

impl Given {
    /// Connects with psql; returns its error if that fails.
    fn psql(&self, server: &Server) -> Result<(), String> {
        let mut psql = Command::new(server.program("psql").get_program());
        psql.env_clear().envs(self.variables.iter().cloned());
        let output = psql.args(["-X", "-w", "-c", "select 1", &self.url]).output().unwrap();
        if output.status.success() { Ok(()) } else { Err(text(&output.stderr)) }
    }

    /// Connects with `marie-exporter check`; returns its output if that fails.
    fn exporter(&self) -> Result<(), String> {
        let mut check = command(&["check", "--database.schema=pg_catalog", "--database-url", &self.url]);
        let output = check.envs(self.variables.iter().cloned()).output().unwrap();
        let message = text(&output.stdout) + &text(&output.stderr);
        if message.contains("role      postgres") { Ok(()) } else { Err(message) }
    }
}

/// Returns the words of the refusal if psql can connect with these settings and the driver cannot.
fn refusal(form: &str, given: &Given, mode: &str) -> Option<&'static str> {
    let has = |name: &str| given.variables.iter().any(|(variable, _)| *variable == name);
    if mode == "verify-full" && (given.url.contains("hostaddr=") || has("PGHOSTADDR")) {
        Some("hostaddr and sslmode=verify-full")
    } else if form.contains('%') && mode.starts_with(['r', 'v']) {
        Some("IPv6 address with a zone")
    } else {
        None
    }
}

#[tokio::test]
async fn every_host_form_connects_like_psql() {
    LISTENING.prepare().await;
    let server = &LISTENING.server;
    let (port, socket) = (server.port(), server.folder().display().to_string());
    let authority = LISTENING.authority().display().to_string();
    let (mut tried, mut connected) = (0, 0);
    let forms =
        ["localhost", "127.0.0.1", "::1", "::1%1", &socket, "[::1]", "localhost.invalid", "127.0.0.9"];
    let modes = ["disable", "require", "verify-full", "prefer", "verify-ca"];
    // `make test` tries only the first ones.
    let (forms, modes) = if is_long_run() { (&forms[..], &modes[..]) } else { (&forms[..5], &modes[..3]) };
    for &form in forms {
        let authority_form = match form {
            "::1" => "[::1]".to_owned(),
            "::1%1" => "[::1%251]".to_owned(),
            path if path.starts_with('/') => path.replace('/', "%2F"),
            name => name.to_owned(),
        };
        let in_query = form.replace('%', "%25");
        let query = |given: &str| (format!("postgres://postgres@/postgres?port={port}&{given}"), None);
        let by_variable = |variable| {
            (format!("postgres://postgres@/postgres?port={port}"), Some((variable, form.to_owned())))
        };
        for (url, variable) in [
            (format!("postgres://postgres@{authority_form}:{port}/postgres?"), None),
            query(&format!("host={in_query}")),
            query(&format!("hostaddr={in_query}")),
            query(&format!("host=localhost&hostaddr={in_query}")),
            query(&format!("host=other.example&hostaddr={in_query}")),
            by_variable("PGHOST"),
            by_variable("PGHOSTADDR"),
        ] {
            for &mode in modes {
                // libpq accepts brackets only in a URL.
                let is_ours_alone = form == "[::1]" && !url.contains("@[");
                let url = format!("{url}&sslmode={mode}&sslrootcert={authority}").replace("?&", "?");
                let given = Given { url, variables: variable.clone().into_iter().collect() };
                let ours = given.exporter();
                let psql = given.psql(server);
                tried += 1;
                connected += usize::from(ours.is_ok());
                match (&ours, &psql, refusal(form, &given, mode)) {
                    (Err(message), Ok(()), Some(words)) => {
                        assert!(message.contains(words), "{given:?}: {message}");
                    }
                    (Ok(()), Err(_), None) if is_ours_alone => {}
                    _ => assert_eq!(ours.is_ok(), psql.is_ok(), "{given:?}: {ours:?}, psql {psql:?}"),
                }
            }
        }
    }
    eprintln!("{tried} tried, {connected} connected");
    assert!(connected > 40, "{connected} of {tried}");
}

#[tokio::test]
async fn first_suitable_host_of_several_is_used() {
    LISTENING.prepare().await;
    let port = LISTENING.server.port();
    let socket = LISTENING.server.folder().display().to_string().replace('/', "%2F");
    for hosts in [
        format!("127.0.0.1:1,[::1]:{port}"),
        format!("nowhere.invalid:{port},127.0.0.1:{port}"),
        format!("127.0.0.9:{port},{socket}:{port}"),
    ] {
        for role in ["any", "read-write", "primary", "prefer-standby", "read-only", "standby"] {
            let url = format!("postgres://postgres@{hosts}/postgres?target_session_attrs={role}");
            let given = Given { url, variables: Vec::new() };
            let (ours, psql) = (given.exporter(), given.psql(&LISTENING.server));
            assert_eq!(ours.is_ok(), psql.is_ok(), "{given:?}: {ours:?}, psql {psql:?}");
            if let Err(message) = ours {
                assert!(message.contains("target_session_attrs"), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn silent_host_ends_at_connect_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let began = std::time::Instant::now();
    let given =
        Given { url: format!("postgres://u@127.0.0.1:{port}/d?connect_timeout=1"), variables: Vec::new() };
    let message = given.exporter().unwrap_err();
    assert!(message.contains("no answer within 1 s"), "{message}");
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}
