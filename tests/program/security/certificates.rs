//! Server certificates from common instructions, such as PostgreSQL's manual. If psql accepts a certificate and the exporter
//! does not, the error names the fault and how to create a better certificate.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use sqlx::{Connection, PgConnection};

use crate::security::tls::encrypted;
use crate::support::databases::run;
use crate::support::process::text;

/// Creates an authority and a request for a certificate, like the manual.
const BASE: &str = "
    openssl req -new -x509 -nodes -days 365 -out root.crt -keyout root.key -subj /CN=root
    openssl req -new -nodes -out server.csr -keyout server.key -subj /CN=localhost
    sign='openssl x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -out server.crt'
    echo subjectAltName=DNS:localhost > san";

/// Commands that create a certificate, the file that clients trust, and the errors under `verify-ca` and `verify-full`.
struct Case {
    name: &'static str,
    script: &'static str,
    authority: &'static str,
    verify_ca: Option<&'static str>,
    verify_full: Option<&'static str>,
}

const fn case(
    name: &'static str,
    script: &'static str,
    authority: &'static str,
    verify_ca: Option<&'static str>,
    verify_full: Option<&'static str>,
) -> Case {
    Case { name, script, authority, verify_ca, verify_full }
}

const AUTHORITY: Option<&str> = Some("is that of an authority (CA:TRUE)");
const VERSION: Option<&str> = Some("is of X.509 version 1");
const NO_NAME: Option<&str> = Some("names no host in subjectAltName");
const OTHERS: Option<&str> = Some("is for other hosts");
const EXPIRED: Option<&str> = Some("has expired");
const STRANGER: Option<&str> = Some("no authority that is trusted here has signed");
const OTHER_KEY: Option<&str> = Some("but another key");
const PURPOSE: Option<&str> = Some("not for servers");
const WEAK: Option<&str> = Some("key or signature that the driver does not support");
const WEAK_HANDSHAKE: Option<&str> = Some("certificate");
const CRITICAL: Option<&str> = Some("critical extension");
const NO_CA: Option<&str> = Some("is not that of an authority (CA:FALSE)");

const CASES: [Case; 17] = [
    case(
        "the manual's certificate that signs itself",
        "openssl req -new -x509 -days 365 -nodes -text -out server.crt -keyout server.key -subj /CN=localhost",
        "server.crt",
        AUTHORITY,
        AUTHORITY,
    ),
    case("the manual's certificate of an authority", "$sign -days 365 -text", "root.crt", VERSION, VERSION),
    // The commands that the exporter's error messages recommend.
    case(
        "the advised certificate that signs itself",
        "openssl req -x509 -new -nodes -days 365 -subj /CN=localhost -addext basicConstraints=critical,CA:FALSE \
         -addext subjectAltName=DNS:localhost -keyout server.key -out server.crt",
        "server.crt",
        None,
        None,
    ),
    case("the advised certificate of an authority", "$sign -days 365 -extfile san", "root.crt", None, None),
    case(
        "a common name only",
        "echo basicConstraints=CA:FALSE > none; $sign -extfile none",
        "root.crt",
        None,
        NO_NAME,
    ),
    case("another name", "echo subjectAltName=DNS:other > o; $sign -extfile o", "root.crt", None, OTHERS),
    case("expired", "$sign -days -1 -extfile san", "root.crt", EXPIRED, EXPIRED),
    case(
        "an unknown authority",
        "$sign -extfile san; openssl req -new -x509 -nodes -out other.crt -keyout o.key -subj /CN=other",
        "other.crt",
        STRANGER,
        STRANGER,
    ),
    case(
        "an authority of the same name",
        "$sign -extfile san; openssl req -new -x509 -nodes -out other.crt -keyout o.key -subj /CN=root",
        "other.crt",
        OTHER_KEY,
        OTHER_KEY,
    ),
    case(
        "for clients only",
        "echo extendedKeyUsage=clientAuth >> san; $sign -extfile san",
        "root.crt",
        PURPOSE,
        PURPOSE,
    ),
    case(
        "a key on the curve P-521",
        "openssl ecparam -name secp521r1 -genkey -noout -out root.key
         openssl req -new -x509 -key root.key -out root.crt -subj /CN=root
         $sign -extfile san",
        "root.crt",
        WEAK,
        WEAK,
    ),
    case(
        "a signature with SHA-1",
        "$sign -sha1 -extfile san",
        "root.crt",
        WEAK,
        WEAK,
    ),
    case(
        "a server's key of RSA with 1024 bits",
        "openssl req -newkey rsa:1024 -nodes -out server.csr -keyout server.key -subj /CN=localhost
         $sign -extfile san",
        "root.crt",
        WEAK_HANDSHAKE,
        WEAK_HANDSHAKE,
    ),
    case(
        "a server's key on the curve P-521",
        "openssl ecparam -name secp521r1 -genkey -noout -out server.key
         openssl req -new -key server.key -out server.csr -subj /CN=localhost
         $sign -extfile san",
        "root.crt",
        WEAK_HANDSHAKE,
        WEAK_HANDSHAKE,
    ),
    case(
        "an authority that may not sign authorities",
        "echo basicConstraints=CA:TRUE,pathlen:0 > ca
         for one in middle lower; do
             openssl req -new -nodes -out $one.csr -keyout $one.key -subj /CN=$one
         done
         openssl x509 -req -in middle.csr -CA root.crt -CAkey root.key -CAcreateserial -extfile ca -out middle.crt
         openssl x509 -req -in lower.csr -CA middle.crt -CAkey middle.key -CAcreateserial -extfile ca -out lower.crt
         openssl x509 -req -in server.csr -CA lower.crt -CAkey lower.key -CAcreateserial -extfile san -out leaf.crt
         cat leaf.crt lower.crt middle.crt > server.crt",
        "root.crt",
        WEAK_HANDSHAKE,
        WEAK_HANDSHAKE,
    ),
    case(
        "an unknown critical extension",
        "echo 1.2.3.4=critical,DER:0500 >> san; $sign -extfile san",
        "root.crt",
        CRITICAL,
        CRITICAL,
    ),
    case(
        "signed by what is no authority",
        "openssl req -new -nodes -out middle.csr -keyout middle.key -subj /CN=middle
         echo basicConstraints=CA:FALSE > none
         openssl x509 -req -in middle.csr -CA root.crt -CAkey root.key -CAcreateserial -extfile none -out middle.crt
         openssl x509 -req -in server.csr -CA middle.crt -CAkey middle.key -CAcreateserial -extfile san -out leaf.crt
         cat leaf.crt middle.crt > server.crt",
        "root.crt",
        NO_CA,
        NO_CA,
    ),
];

fn make(folder: &Path, script: &str) {
    let script = format!("set -e\nexec 2>&1\n{BASE}\n{script}");
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}: {}", text(&output.stdout));
}

/// Installs the certificate on the server, and waits until new connections get it.
async fn install(server: &Server, admin: &mut PgConnection, folder: &Path) {
    let owner = fs::metadata(server.folder().join("data")).unwrap();
    for file in ["server.crt", "server.key"] {
        let to = server.folder().join(file);
        fs::copy(folder.join(file), &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
        let setting = if file == "server.crt" { "ssl_cert_file" } else { "ssl_key_file" };
        run(admin, &format!("alter system set {setting} = '{}'", to.display())).await;
    }
    run(admin, "alter system set ssl = on").await;
    let before: String =
        sqlx::query_scalar("select clock_timestamp()::text").fetch_one(&mut *admin).await.unwrap();
    run(admin, "select pg_reload_conf()").await;
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut session = PgConnection::connect(&plain(server)).await.unwrap();
        let is_loaded: bool = sqlx::query_scalar("select pg_conf_load_time() > $1::text::timestamptz")
            .bind(&before)
            .fetch_one(&mut session)
            .await
            .unwrap();
        if is_loaded {
            return;
        }
        assert!(Instant::now() < deadline, "the server does not read its settings");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn plain(server: &Server) -> String {
    format!("{}?sslmode=disable", server.url("postgres"))
}

#[tokio::test]
async fn certificate_that_only_psql_accepts_is_explained() {
    let server = Server::start().unwrap();
    let mut admin = PgConnection::connect(&plain(&server)).await.unwrap();
    let psql = server.program("psql").get_program().to_owned();
    for Case { name, script, authority, verify_ca, verify_full } in CASES {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), script);
        install(&server, &mut admin, folder.path()).await;
        // Without an authority, every certificate that the driver can parse is accepted.
        for (mode, expected) in [("require", None), ("verify-ca", verify_ca), ("verify-full", verify_full)] {
            let port = server.port();
            let authority = folder.path().join(authority).display().to_string();
            let trust = if mode == "require" { String::new() } else { format!("&sslrootcert={authority}") };
            let url = format!("postgres://postgres@localhost:{port}/postgres?sslmode={mode}{trust}");
            let ours = encrypted(&url).await;
            let theirs = Command::new(&psql).env_clear().args(["-X", "-w", "-c", "select 1", &url]).output();
            let theirs = theirs.unwrap();
            eprintln!("{name}, {mode}: ours {ours:?}, psql {}", theirs.status);
            match (&ours, expected) {
                (Err(message), None) if mode == "require" => {
                    assert!(
                        message.contains("certificate") && !message.contains("Other("),
                        "{name}: {message}"
                    );
                }
                (Ok(is_encrypted), None) => assert!(is_encrypted, "{name}, {mode}"),
                (Err(message), Some(words)) => {
                    assert!(message.contains(words), "{name}, {mode}: {message}");
                    assert!(!message.contains("Other("), "{name}, {mode}: {message}");
                }
                _ => panic!("{name}, {mode}: {ours:?}, psql {}", text(&theirs.stderr)),
            }
            // The exporter trusts no certificate that psql rejects.
            assert!(ours.is_err() || theirs.status.success(), "{name}, {mode}: {}", text(&theirs.stderr));
        }
    }
}

#[tokio::test]
async fn encrypted_key_of_a_client_is_named() {
    let folder = tempfile::tempdir().unwrap();
    make(
        folder.path(),
        "openssl pkcs8 -topk8 -in server.key -passout pass:hunter2 -out pkcs8.key
         openssl rsa -aes128 -traditional -in server.key -passout pass:hunter2 -out traditional.key",
    );
    for (key, words) in [
        ("pkcs8.key", "the key is encrypted"),
        ("traditional.key", "the key is encrypted"),
        ("root.crt", "it holds no private key in PEM form"),
        ("san", "it holds no private key in PEM form"),
    ] {
        let folder = folder.path().display().to_string();
        let url = format!("postgres://u@127.0.0.1:1/d?sslcert={folder}/root.crt&sslkey={folder}/{key}");
        let message = encrypted(&url).await.unwrap_err();
        assert!(message.contains(&format!("cannot use {folder}/{key} (sslkey): {words}")), "{message}");
    }
}
