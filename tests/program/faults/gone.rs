//! The database is not reachable or rejects logins.

use std::fs;
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::{Connection, PgConnection};

use crate::faults::signals::{processes, send};
use crate::support::databases::{Database, SERVER, furnished, run};
use crate::support::process::Process;
use crate::support::watch::{INTERVAL, Watch};

async fn furnished_server() -> (Server, String) {
    let server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    furnished(&url, Shape::New).await.close().await.unwrap();
    (server, url)
}

/// Terminates the exporter's sessions in this database, waits for their end, and returns their number.
async fn terminate(admin: &mut PgConnection) -> usize {
    let sessions = "select pid, pg_terminate_backend(pid) from pg_stat_activity
                    where datname = current_database() and application_name = 'marie-exporter'";
    let ended: Vec<i32> = sqlx::query_scalar(sessions).fetch_all(&mut *admin).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let remain = "select exists (select from pg_stat_activity where pid = any($1))";
    while sqlx::query_scalar(remain).bind(&ended).fetch_one(&mut *admin).await.unwrap() {
        assert!(Instant::now() < deadline, "the sessions {ended:?} do not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ended.len()
}

/// Creates a role that may read all of the scheduler's tables.
async fn create_watcher(admin: &mut PgConnection) {
    run(
        admin,
        "create role watcher login;
         grant usage on schema marie_scheduler to watcher;
         grant select on all tables in schema marie_scheduler to watcher",
    )
    .await;
}

#[tokio::test]
async fn killed_server_withdraws_numbers_and_is_found_again() {
    let (mut server, url) = furnished_server().await;
    let watch = Watch::serve(&url, &["--collector.stale-after=1s"]);
    let before = watch.metrics();
    send("KILL", &processes(&server));
    let metrics = watch.until_unavailable("Connection refused");
    assert!(metrics.has("marie_jobs"), "the last numbers are kept for a while");
    watch.until("they are withdrawn", |now| now.count("marie_exporter_series", &[]) == 0.0);
    server.stop().unwrap();
    server.start_again().unwrap();
    let after = watch.recovers();
    for family in ["marie_jobs", "marie_jobs_finished_total"] {
        assert_eq!(after.values(family, &[]), before.values(family, &[]), "{family}");
    }
    watch.end();
}

#[tokio::test]
async fn transaction_id_reused_after_kill_loses_no_event() {
    let (mut server, url) = furnished_server().await;
    let watch = Watch::serve(&url, &[]);
    // The transaction id is assigned, but not yet written to disk.
    let mut open = PgConnection::connect(&url).await.unwrap();
    run(&mut open, "begin; select pg_current_xact_id()").await;
    watch.recovers();
    send("KILL", &processes(&server));
    watch.until_unavailable("Connection refused");
    server.stop().unwrap();
    server.start_again().unwrap();
    watch.recovers();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    run(&mut admin, "update marie_scheduler.job set state = 'completed', completed_on = now()").await;
    watch.until("the event is counted", |now| now.count("marie_jobs_finished_total", &[]) == 1.0);
    let lost = [("reason", "history_lost")];
    assert_eq!(watch.metrics().count("marie_collector_failures_total", &lost), 0.0);
    watch.end();
}

#[tokio::test]
async fn database_dropped_and_created_again_is_found() {
    let database = Database::new(Shape::New).await;
    let watch = Watch::serve(&database.url, &[]);
    let name = database.url.rsplit('/').next().unwrap().to_owned();
    database.admin.close().await.unwrap();
    let mut admin = PgConnection::connect(&SERVER.url("postgres")).await.unwrap();
    run(&mut admin, &format!("drop database {name} with (force)")).await;
    watch.until_unavailable("does not exist (SQLSTATE 3D000)");
    // Renamed, so that all tables appear at once.
    let other = SERVER.create_database("another").await.unwrap();
    furnished(&other, Shape::Mid).await.close().await.unwrap();
    run(&mut admin, &format!("alter database another rename to {name}")).await;
    let metrics = watch.recovers();
    assert_eq!(metrics.value("marie_database_info", &[("shape", "mid")]), Some(1.0));
    watch.end();
}

#[tokio::test]
async fn new_password_is_read_from_the_file_at_next_connect() {
    let (server, url) = furnished_server().await;
    let rules = server.folder().join("data/pg_hba.conf");
    let trust = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, format!("host all watcher 127.0.0.1/32 md5\n{trust}")).unwrap();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    create_watcher(&mut admin).await;
    run(&mut admin, "alter role watcher password 'first_secret'; select pg_reload_conf()").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    let write_url = |password: &str| {
        fs::write(&file, url.replace("postgres@", &format!("watcher:{password}@"))).unwrap();
    };
    write_url("first_secret");
    let path = file.display().to_string();
    let arguments = ["serve", "--web.listen-address=127.0.0.1:0", "--database-url-file", &path];
    let command = crate::support::process::command(&[&arguments, Watch::flags(&[]).as_slice()].concat());
    let watch = Watch::attach(Process::start(command, 1), INTERVAL);
    watch.recovers();

    run(&mut admin, "alter role watcher password 'second_secret'").await;
    terminate(&mut admin).await;
    watch.until_unavailable("password authentication failed for user &quot;watcher&quot; (SQLSTATE 28P01)");
    write_url("second_secret");
    watch.recovers();
    let page = watch.page();
    let log = watch.end();
    assert!(!log.contains("_secret") && !page.contains("_secret"), "{log}");
}

#[tokio::test]
async fn server_without_free_connection_is_unavailable() {
    let server = Server::start_with(&[("max_connections", "10")]).unwrap();
    let url = server.create_database("marie").await.unwrap();
    let mut admin = furnished(&url, Shape::New).await;
    create_watcher(&mut admin).await;
    let url = url.replace("postgres@", "watcher@");
    let watch = Watch::serve(&url, &[]);

    let mut clients = Vec::new();
    // The exporter may reconnect before other clients take its connections.
    let deadline = Instant::now() + Duration::from_secs(30);
    while terminate(&mut admin).await > 0 {
        assert!(Instant::now() < deadline, "the exporter always reconnects first");
        while let Ok(one) = PgConnection::connect(&url).await {
            clients.push(one);
        }
    }
    watch.until_unavailable("(SQLSTATE 53300)");
    for one in clients {
        one.close().await.unwrap();
    }
    watch.recovers();
    watch.end();
}
