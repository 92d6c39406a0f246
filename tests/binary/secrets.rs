//! A password is in nothing that the exporter says, however connecting goes.

use marie_exporter::demo::shape::Shape;

use crate::databases::{Database, SERVER};
use crate::process::{Process, command, text};
use crate::scrape::{get, until};

const PASSWORD: &str = "hunter2-of-marie";

fn is_silent(what: &str, text: &str) {
    assert!(!text.contains("hunter2"), "{what} tells the password: {text}");
}

/// Looks for the password in everything that `serve` and `check` say about this URL.
fn tells_no_secret(url: &str, expected: &str) {
    for format in ["text", "json"] {
        let mut serve = command(&["serve", "--web.listen-address=127.0.0.1:0", "--collector.interval=200ms"]);
        serve.args(["--log.level=trace", &format!("--log.format={format}")]).env("DATABASE_URL", url);
        let process = Process::start(serve, 1);
        let address = process.address().to_owned();
        let page = until(&address, expected, |answer| answer.text().contains(expected));
        is_silent("the page", &page.text());
        is_silent("the metrics", &get(&format!("{address}/metrics")).text());
        let (_, _, log) = process.end("TERM");
        assert!(log.contains("ending"), "{log}");
        is_silent("the log", &log);

        let mut check = command(&["check", "--format", format]);
        let output = check.env("MARIE_EXPORTER_DATABASE_URL", url).output().unwrap();
        is_silent("check", &text(&output.stdout));
        is_silent("check", &text(&output.stderr));
        assert!(!output.stdout.is_empty());
    }
}

#[tokio::test]
async fn a_password_is_told_nowhere() {
    let mut database = Database::new(Shape::New).await;
    database
        .run(&format!(
            "set password_encryption = 'scram-sha-256'; -- which is not the default before version 14
             create role guarded login password '{PASSWORD}';
             grant usage on schema marie_scheduler to guarded;
             grant select on all tables in schema marie_scheduler to guarded"
        ))
        .await;
    let rules = SERVER.folder().join("data/pg_hba.conf");
    let others = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("host all guarded 127.0.0.1/32 scram-sha-256\n{others}")).unwrap();
    database.run("select pg_reload_conf()").await;

    let with = |password: &str| database.url.replace("postgres@", &format!("guarded:{password}@"));
    tells_no_secret(&with(PASSWORD), ">ok</td>");
    tells_no_secret(&with("hunter2-is-wrong"), "password authentication failed");
    tells_no_secret(&format!("{}?sslmode=require", with(PASSWORD)), "cannot connect");
    let port = SERVER.port().to_string();
    tells_no_secret(&with(PASSWORD).replace(&port, "1"), "refused");
    tells_no_secret(&format!("postgres://guarded:{PASSWORD}@nowhere.invalid/marie"), "cannot connect");
}

#[test]
fn a_database_url_that_cannot_be_understood_is_not_repeated() {
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
