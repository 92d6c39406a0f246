//! The TLS modes of libpq, with a PostgreSQL server with TLS and one without.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use marie_exporter::cli::{self, Command};
use marie_exporter::demo::server::Server;
use marie_exporter::postgres::Session;
use once_cell::sync::Lazy;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sqlx::{Connection, PgConnection, Row};
use tempfile::TempDir;

use crate::support::databases::{SERVER, run};
use crate::support::process::{command, text};

/// A certificate authority, trusted or not.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(parameters, key), certificate }
    }

    /// Writes a certificate for `common_name` and for the host `name`, and its key.
    pub(crate) fn certify(
        &self,
        folder: &Path,
        file: &str,
        common_name: &str,
        names: &[&str],
    ) -> [PathBuf; 2] {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let files = ["crt", "key"].map(|kind| folder.join(format!("{file}.{kind}")));
        fs::write(&files[0], certificate.pem()).unwrap();
        fs::write(&files[1], key.serialize_pem()).unwrap();
        fs::set_permissions(&files[1], fs::Permissions::from_mode(0o600)).unwrap();
        files
    }
}

/// A server named `localhost` with TLS on, and the files of its clients.
pub(crate) struct Secured {
    pub(crate) server: Server,
    clients: TempDir,
}

pub(crate) static SECURED: Lazy<Secured> = Lazy::new(|| {
    let server = Server::start().unwrap();
    let ours = Authority::new("ours");
    let [certificate, key] = ours.certify(server.folder(), "server", "server", &["localhost"]);
    fs::write(server.folder().join("ca.crt"), &ours.certificate).unwrap();
    let owner = fs::metadata(server.folder()).unwrap();
    for file in [&certificate, &key] {
        chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let clients = tempfile::tempdir().unwrap();
    let others = Authority::new("others");
    fs::write(clients.path().join("ours.crt"), &ours.certificate).unwrap();
    fs::write(clients.path().join("others.crt"), &others.certificate).unwrap();
    ours.certify(clients.path(), "certified", "certified", &[]);
    ours.certify(clients.path(), "uncertified", "uncertified", &[]);
    others.certify(clients.path(), "forged", "certified", &[]);
    Secured { server, clients }
});

impl Secured {
    /// Switches TLS on. The role `certified` logs in by certificate alone, `encrypted` with TLS only.
    pub(crate) async fn prepare(&self) {
        let folder = self.server.folder();
        let rules = folder.join("data/pg_hba.conf");
        let mut admin = PgConnection::connect(&self.server.url("postgres")).await.unwrap();
        // Only one test at a time prepares the server.
        run(&mut admin, "select pg_advisory_lock(1)").await;
        let others = fs::read_to_string(&rules).unwrap();
        if !others.contains("certified") {
            let ours =
                "hostssl all certified 127.0.0.1/32 cert\nhostnossl all encrypted 127.0.0.1/32 reject\n";
            fs::write(&rules, format!("{ours}{others}")).unwrap();
            run(&mut admin, "create role certified login; create role encrypted login").await;
            for (setting, value) in
                [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key"), ("ssl_ca_file", "ca.crt")]
            {
                let path = folder.join(value).display().to_string();
                run(&mut admin, &format!("alter system set {setting} = '{path}'")).await;
            }
            run(&mut admin, "alter system set ssl = on").await;
        }
        run(&mut admin, "select pg_reload_conf()").await;
        let url = self.url("encrypted@localhost", "sslmode=require");
        while encrypted(&url).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Returns the URL with these parameters, in which `$` stands for the clients' folder.
    pub(crate) fn url(&self, at: &str, parameters: &str) -> String {
        let folder = self.clients.path().display().to_string();
        let parameters = parameters.replace('$', &folder);
        format!("postgres://{at}:{}/postgres?{parameters}", self.server.port())
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.clients.path().join(name).display().to_string()
    }
}

/// Connects as the exporter does; returns whether the session is encrypted, or the error.
pub(crate) async fn encrypted(url: &str) -> Result<bool, String> {
    let arguments = ["marie-exporter", "serve", "--database-url", url];
    let config = match cli::parse(arguments.map(Into::into), |_| None, &[]) {
        Ok(Command::Serve(config)) => config,
        Ok(other) => panic!("not serve: {other:?}"),
        Err(error) => return Err(error.to_string()),
    };
    let mut session = Session::new(config.database, config.collectors.timeout);
    let mut run = session.begin().await.map_err(|failure| failure.message)?;
    let encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let row = run.fetch_one(sqlx::query(encrypted)).await.map_err(|failure| failure.message)?;
    let encrypted = row.try_get(0).map_err(|error| error.to_string());
    session.close().await;
    encrypted
}

#[tokio::test]
async fn each_sslmode_encrypts_and_verifies_like_libpq() {
    SECURED.prepare().await;
    let believed = "sslrootcert=$/ours.crt";
    let stranger = "sslrootcert=$/others.crt";
    for (at, parameters, expected) in [
        ("postgres@localhost", "sslmode=disable", Ok(false)),
        ("postgres@localhost", "", Ok(true)),
        ("postgres@localhost", "sslmode=prefer", Ok(true)),
        ("encrypted@localhost", "sslmode=disable", Err("pg_hba.conf rejects connection")),
        ("encrypted@localhost", "sslmode=require", Ok(true)),
        ("encrypted@127.0.0.1", &format!("sslmode=require&{believed}"), Ok(true)),
        ("encrypted@localhost", &format!("sslmode=require&{stranger}"), Err("UnknownIssuer")),
        ("encrypted@localhost", "sslmode=verify-ca", Err("UnknownIssuer")),
        ("encrypted@127.0.0.1", &format!("sslmode=verify-ca&{believed}"), Ok(true)),
        ("encrypted@localhost", &format!("sslmode=verify-ca&{stranger}"), Err("UnknownIssuer")),
        ("encrypted@localhost", &format!("sslmode=verify-full&{believed}"), Ok(true)),
        ("encrypted@127.0.0.1", &format!("sslmode=verify-full&{believed}"), Err("not valid for name")),
        ("encrypted@localhost", &format!("sslmode=verify-full&{stranger}"), Err("UnknownIssuer")),
        ("encrypted@localhost", "sslmode=verify-full", Err("UnknownIssuer")),
        ("postgres@localhost", "sslmode=verify-full&sslrootcert=$/none", Err("/none (sslrootcert): No such")),
    ] {
        let found = encrypted(&SECURED.url(at, parameters)).await;
        fits(&found, expected, &format!("{at}?{parameters}"));
    }
}

#[tokio::test]
async fn only_the_right_client_certificate_is_accepted() {
    SECURED.prepare().await;
    for (parameters, expected) in [
        ("sslcert=$/certified.crt&sslkey=$/certified.key", Ok(true)),
        ("", Err("requires a valid client certificate")),
        ("sslcert=$/uncertified.crt&sslkey=$/uncertified.key", Err("certificate authentication failed")),
        ("sslcert=$/forged.crt&sslkey=$/forged.key", Err("cannot connect to PostgreSQL at localhost")),
        ("sslcert=$/certified.crt", Err("key and certs must be given together")),
        ("sslcert=$/certified.crt&sslkey=$/none.key", Err("/none.key (sslkey): No such file")),
    ] {
        let url = SECURED.url("certified@localhost", &format!("sslmode=require&{parameters}"));
        fits(&encrypted(&url).await, expected, parameters);
    }
}

#[tokio::test]
async fn server_without_tls_accepts_only_optional_tls() {
    for (mode, expected) in [
        ("disable", Ok(false)),
        ("prefer", Ok(false)),
        ("require", Err("server does not support TLS")),
        ("verify-ca", Err("server does not support TLS")),
        ("verify-full", Err("server does not support TLS")),
    ] {
        fits(&encrypted(&format!("{}?sslmode={mode}", SERVER.url("postgres"))).await, expected, mode);
    }
}

fn fits(found: &Result<bool, String>, expected: Result<bool, &str>, place: &str) {
    match (found, expected) {
        (Err(error), Err(part)) => assert!(error.contains(part), "{place}: {error}"),
        (found, expected) => assert_eq!(found.as_ref().ok(), expected.ok().as_ref(), "{place}: {found:?}"),
    }
}

#[tokio::test]
async fn libpq_variables_configure_tls() {
    SECURED.prepare().await;
    let authority = SECURED.file("ours.crt");
    for (host, code) in [("localhost", 0), ("127.0.0.1", 2)] {
        let mut check = command(&["check", "--database.schema=pg_catalog"]);
        check.env("DATABASE_URL", SECURED.url(&format!("encrypted@{host}"), ""));
        let output = check.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", &authority).output().unwrap();
        let told = text(&output.stdout);
        // The exit status is 1 because the schema has no jobs.
        assert_eq!(output.status.code() == Some(2), code == 2, "{host}: {told}");
        assert_eq!(told.contains("role      encrypted"), code == 0, "{host}: {told}");
    }
}
