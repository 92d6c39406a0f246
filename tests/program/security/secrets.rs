//! A password is in no output of the exporter, whether connecting succeeds or fails: log, page, metrics, `check`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use marie_exporter::demo::shape::Shape;

use crate::security::variables::guard;
use crate::support::databases::{Database, SERVER};
use crate::support::process::{Process, command, text};
use crate::support::scrape::{get, until};

const PASSWORD: &str = "hunter2-of-marie";

fn is_silent(what: &str, text: &str) {
    assert!(!text.contains("hunter2"), "{what} contains the password: {text}");
}

/// Searches all output of `serve` and `check` with these variables for the password.
fn tells_no_secret(variables: &[(&str, &str)], expected: &str) {
    let with_variables = |arguments: &[&str]| -> Command {
        let mut command = command(arguments);
        command.envs(variables.iter().copied());
        command
    };
    for format in ["text", "json"] {
        let mut serve =
            with_variables(&["serve", "--web.listen-address=127.0.0.1:0", "--collector.interval=200ms"]);
        serve.args(["--log.level=trace", &format!("--log.format={format}")]);
        let process = Process::start(serve, 1);
        let address = process.address().to_owned();
        let page = until(&address, expected, |answer| answer.text().contains(expected));
        is_silent("the page", &page.text());
        is_silent("the metrics", &get(&format!("{address}/metrics")).text());
        let (_, _, log) = process.end("TERM");
        assert!(log.contains("shutting down"), "{log}");
        is_silent("the log", &log);

        let output = with_variables(&["check", "--format", format]).output().unwrap();
        is_silent("check", &text(&output.stdout));
        is_silent("check", &text(&output.stderr));
        assert!(!output.stdout.is_empty());
        let output = with_variables(&["grants"]).output().unwrap();
        is_silent("grants", &text(&output.stdout));
        is_silent("grants", &text(&output.stderr));
    }
}

#[tokio::test]
async fn password_is_in_no_output_of_serve_and_check() {
    let mut database = Database::new(Shape::New).await;
    database.reader("guarded").await;
    database.run(&format!("alter role guarded password '{PASSWORD}'")).await;
    guard("guarded");
    database.run("select pg_reload_conf()").await;

    let with = |password: &str| database.url.replace("postgres@", &format!("guarded:{password}@"));
    let without = database.url.replace("postgres@", "guarded@");
    let port = SERVER.port().to_string();
    for (url, expected) in [
        (with(PASSWORD), ">ok</td>"),
        (with("hunter2-is-wrong"), "password authentication failed"),
        (format!("{without}?password={PASSWORD}"), ">ok</td>"),
        (format!("{without}?password=hunter2%20is+wrong"), "password authentication failed"),
        (format!("{}?sslmode=require", with(PASSWORD)), "cannot connect"),
        (with(PASSWORD).replace(&port, "1"), "refused"),
        (format!("postgres://guarded:{PASSWORD}@nowhere.invalid/marie"), "cannot connect"),
    ] {
        tells_no_secret(&[("MARIE_EXPORTER_DATABASE_URL", &url)], expected);
    }

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file.display().to_string()
    };
    let url = write("url", &with(PASSWORD));
    tells_no_secret(&[("MARIE_EXPORTER_DATABASE_URL_FILE", &url)], ">ok</td>");
    let broken = write("broken", &format!("postgres://guarded:{PASSWORD}@h:port/d"));
    tells_no_secret(&[("MARIE_EXPORTER_DATABASE_URL_FILE", &broken)], "is not valid: invalid port");
    tells_no_secret(&[("DATABASE_URL", &without), ("PGPASSWORD", PASSWORD)], ">ok</td>");
    let wrong = [("DATABASE_URL", without.as_str()), ("PGPASSWORD", "hunter2-is-wrong")];
    tells_no_secret(&wrong, "password authentication failed");
    let passwords = write("pgpass", &format!("nonsense:hunter2\n*:*:*:guarded:{PASSWORD}\n"));
    tells_no_secret(&[("DATABASE_URL", &without), ("PGPASSFILE", &passwords)], ">ok</td>");
}

#[test]
fn invalid_database_url_is_not_repeated() {
    for url in ["postgres://u:hunter2/x@h/d", "postgres://u:hunter2@h:port/d", "mysql://u:hunter2@h/d"] {
        for arguments in [["serve", "--database-url", url], ["check", "--database-url", url]] {
            let output = command(&arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(2));
            is_silent("the error", &text(&output.stderr));
        }
        let output = command(&["serve"]).env("DATABASE_URL", url).output().unwrap();
        is_silent("the error", &text(&output.stderr));
        let mut help = command(&["serve", "--help"]);
        is_silent("the help", &text(&help.env("DATABASE_URL", url).output().unwrap().stdout));
    }
}
