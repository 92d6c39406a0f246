//! libpq's variables and password file, and what every session of the exporter has in common.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;
use sqlx::Row;

use crate::support::databases::{Database, SERVER};
use crate::support::process::{Process, command, text};
use crate::support::scrape::{metrics, until_ready};

/// Creates a role that needs a password; returns the database's name.
async fn guarded(database: &mut Database, role: &str, password: &str) -> String {
    database.reader(role).await;
    database.run(&format!("alter role {role} password '{password}'")).await;
    guard(role);
    database.run("select pg_reload_conf()").await;
    sqlx::query_scalar("select current_database()::text").fetch_one(&mut database.admin).await.unwrap()
}

/// Makes the server require the password of this role, once it has reloaded `pg_hba.conf`.
pub(crate) fn guard(role: &str) {
    use std::io::Write;
    // Other tests edit the file too.
    static RULES: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = RULES.lock().unwrap();
    let file = SERVER.folder().join("data/pg_hba.conf");
    let others = fs::read_to_string(&file).unwrap();
    // SCRAM, or MD5 if the password is stored as MD5, as before PostgreSQL 14.
    let rules = format!("host all {role} 127.0.0.1/32 md5\nlocal all {role} md5\n{others}");
    let replacement = file.with_extension("new");
    let mut new = fs::File::create(&replacement).unwrap();
    new.write_all(rules.as_bytes()).unwrap();
    fs::set_permissions(&replacement, fs::Permissions::from_mode(0o644)).unwrap();
    fs::rename(replacement, file).unwrap();
}

fn write_password_file(file: &Path, line: &str, mode: u32) {
    fs::write(file, format!("# of the test\nelsewhere:*:*:*:wrong\n{line}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns the output of `check` with these variables.
fn check(variables: &[(&str, &str)]) -> String {
    let mut check = command(&["check"]);
    text(&check.envs(variables.iter().copied()).output().unwrap().stdout)
}

#[tokio::test]
async fn libpq_variables_replace_or_complete_a_url() {
    let mut database = Database::new(Shape::New).await;
    let name = guarded(&mut database, "of_variables", "p@ss:w/rd").await;
    let port = SERVER.port().to_string();
    let folder = SERVER.folder().display().to_string();
    let base = [("PGPORT", port.as_str()), ("PGUSER", "of_variables"), ("PGDATABASE", &name)];
    let password = ("PGPASSWORD", "p@ss:w/rd");
    let reached = "role      of_variables";
    for host in [("PGHOST", "127.0.0.1"), ("PGHOSTADDR", "127.0.0.1"), ("PGHOST", &folder)] {
        let shown = check(&[&base[..], &[host, password]].concat());
        assert!(shown.contains(reached), "{host:?}: {shown}");
    }
    let shown = check(&[&base[..], &[("PGHOST", "127.0.0.1"), ("PGPASSWORD", "wrong")]].concat());
    assert!(shown.contains("password authentication failed"), "{shown}");
    let shown = check(&[&base[..], &[("PGHOST", "/nowhere"), password]].concat());
    assert!(shown.contains(&format!("cannot connect to PostgreSQL at /nowhere:{port}")), "{shown}");

    let url = ("DATABASE_URL", "postgres://127.0.0.1");
    assert!(check(&[&base[..], &[url, password]].concat()).contains(reached));
    let url = format!("postgres://of_variables@127.0.0.1:{port}/{name}");
    let others =
        [("DATABASE_URL", url.as_str()), ("PGUSER", "other"), ("PGPORT", "1"), ("PGDATABASE", "other")];
    assert!(check(&[&others[..], &[password]].concat()).contains(reached), "a URL overrides variables");
}

#[tokio::test]
async fn password_file_is_used_if_others_cannot_read_it() {
    let mut database = Database::new(Shape::New).await;
    let name = guarded(&mut database, "of_file", "se:cr\\et").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pgpass");
    let line = format!("127.0.0.1:{}:{name}:of_file:se\\:cr\\\\et", SERVER.port());
    let url = database.url.replace("postgres@", "of_file@");
    let path = file.display().to_string();
    let variables = [("DATABASE_URL", url.as_str()), ("PGPASSFILE", &path)];
    write_password_file(&file, &line, 0o600);
    let shown = check(&variables);
    assert!(shown.contains("role      of_file"), "{shown}");
    write_password_file(&file, &line, 0o644);
    let why = format!("the password file {path} was not used: other users may read or write it (mode 0644)");
    for words in
        [&["check"][..], &["jobs", "list"], &["grants"], &["maintain", "purge", "failed", "--older-than=7d"]]
    {
        let output = command(words).envs(variables).output().unwrap();
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert!(
            shown.contains("password authentication failed") && shown.contains(&why),
            "{words:?}: {shown}"
        );
        assert_eq!(shown.matches(&why).count(), 1, "{words:?}: {shown}");
    }
    let mut serve = command(&["serve", "--web.listen-address=127.0.0.1:0", "--collector.interval=200ms"]);
    serve.envs(variables);
    let mut process = Process::start(serve, 1);
    process.until_logged(&why);
    let attempts = |address: &str| crate::support::scrape::metrics(address).value("marie_up", &[]);
    assert_eq!(attempts(process.address()), Some(0.0));
    until_ready(process.address());
    let (_, _, log) = process.end("TERM");
    assert!(log.matches(&why).count() <= 2, "{log}");
}

#[tokio::test]
async fn unused_password_file_is_named_with_the_reason() {
    let mut database = Database::new(Shape::New).await;
    guarded(&mut database, "of_no_file", "secret").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pgpass");
    write_password_file(&file, "127.0.0.1:*:*:other:secret", 0o600);
    let url = database.url.replace("postgres@", "of_no_file@");
    let missing = folder.path().join("missing").display().to_string();
    let place = format!("127.0.0.1:{}", SERVER.port());
    for (parameter, variable, why) in [
        (String::new(), file.display().to_string(), format!("no line matches {place}")),
        (String::new(), missing.clone(), "missing was not used: No such file".to_owned()),
        (format!("?passfile={missing}"), String::new(), "missing was not used: No such file".to_owned()),
        (
            format!("?passfile={}", folder.path().display()),
            String::new(),
            "it is not a plain file".to_owned(),
        ),
        (String::new(), String::new(), "no password is set".to_owned()),
    ] {
        let url = format!("{url}{parameter}");
        let shown = check(&[("DATABASE_URL", &url), ("PGPASSFILE", &variable)]);
        assert!(shown.contains("password authentication failed") && shown.contains(&why), "{why}: {shown}");
    }
    // Without a matching line the connection works if no password is needed; a warning names the file.
    let shown = check(&[("DATABASE_URL", &database.url), ("PGPASSFILE", &missing)]);
    assert!(shown.contains("role      postgres") && shown.contains("warning   the password file"), "{shown}");
}

#[tokio::test]
async fn secret_readable_by_every_user_causes_a_warning() {
    let database = Database::new(Shape::New).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    fs::write(&file, &database.url).unwrap();
    for (mode, warns) in [(0o644, true), (0o604, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let output = command(&["check", "--database-url-file"]).arg(&file).output().unwrap();
        let shown = text(&output.stdout);
        let warning = format!("warning   {} can be read by every user (mode {mode:04o})", file.display());
        assert_eq!(shown.contains(&warning), warns, "{mode:o}: {shown}");
    }
}

#[tokio::test]
async fn changed_password_is_read_on_reconnect() {
    for from_url_file in [true, false] {
        let mut database = Database::new(Shape::New).await;
        let role = if from_url_file { "rotated_by_url" } else { "rotated_by_file" };
        let name = guarded(&mut database, role, "first").await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let write = |password: &str| {
            if from_url_file {
                let user = format!("{role}:{password}@");
                fs::write(&file, database.url.replace("postgres@", &user)).unwrap();
            } else {
                let line = format!("*:*:{name}:{role}:{password}");
                write_password_file(&file, &line, 0o600);
            }
        };
        write("first");
        let mut serve = command(&["serve", "--web.listen-address=127.0.0.1:0", "--collector.interval=200ms"]);
        if from_url_file {
            serve.arg("--database-url-file").arg(&file);
        } else {
            serve
                .env("PGPASSFILE", &file)
                .env("DATABASE_URL", database.url.replace("postgres@", &format!("{role}@")));
        }
        let process = Process::start(serve, 1);
        until_ready(process.address());
        assert_eq!(metrics(process.address()).value("marie_up", &[]), Some(1.0));

        write("second");
        let rotate = format!(
            "alter role {role} password 'second';
             create temp table before as select backend_start from pg_stat_activity where usename = '{role}';
             select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'"
        );
        database.run(&rotate).await;
        let reconnected = format!(
            "select count(*) from pg_stat_activity
             where usename = '{role}' and backend_start > (select max(backend_start) from before)"
        );
        let deadline = Instant::now() + Duration::from_secs(30);
        while sqlx::query(sqlx::AssertSqlSafe(reconnected.as_str()))
            .fetch_one(&mut database.admin)
            .await
            .unwrap()
            .get::<i64, _>(0)
            == 0
        {
            assert!(Instant::now() < deadline, "{role} does not connect again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn sessions_have_application_name_and_never_write() {
    let mut database = Database::new(Shape::New).await;
    // Reading this view writes. The exporter reads it as a superuser, and its read-only transaction refuses the write.
    database
        .run(
            "create table written (at timestamptz);
             create function write() returns timestamptz language sql as
             $$ insert into marie_scheduler.written values (now()) returning at $$;
             drop table version;
             create view version as
             select marie_scheduler.write() as maintained_on, now() as monitored_on, now() as cron_on",
        )
        .await;
    let process = Process::serve(&database.url, &[]);
    until_ready(process.address());
    let sessions = "select application_name::text from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    let rows = sqlx::query(sessions).fetch_all(&mut database.admin).await.unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["marie-exporter"]);
    let page = crate::support::scrape::get(process.address()).text();
    assert!(page.contains("cannot execute INSERT in a read-only transaction"), "{page}");
}
