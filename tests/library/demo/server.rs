//! The temporary PostgreSQL server: it is removed however its owner ends, and it survives a restart.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use sqlx::{Connection, PgConnection};

use crate::demo::{count, run};

const OWNER_TEST: &str = "demo::server::process_owns_server_until_killed";

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn process_exists(pid: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-0", &pid.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn dropped_server_leaves_no_process_or_folder() {
    let server = Server::start().unwrap();
    let (pid, folder) = (server.postmaster_pid(), server.folder().to_owned());
    assert!(process_exists(pid) && folder.exists());
    drop(server);
    assert!(!process_exists(pid) && !folder.exists());
}

/// The process that the next test kills; not a test by itself.
#[test]
#[ignore = "runs until it is killed"]
fn process_owns_server_until_killed() {
    let server = Server::start().unwrap();
    eprintln!("server {} {}", server.postmaster_pid(), server.folder().display());
    thread::sleep(Duration::from_mins(5));
}

#[test]
fn server_of_killed_owner_leaves_no_process_or_folder() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args([OWNER_TEST, "--exact", "--ignored", "--nocapture"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.into_iter().find(|line| line.starts_with("server ")).unwrap();
    let [_, pid, folder] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let pid = pid.parse().unwrap();
    assert!(process_exists(pid) && Path::new(folder).exists());

    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_until("the server is gone", || !process_exists(pid));
    wait_until("its folder is gone", || !Path::new(folder).exists());
}

#[tokio::test]
async fn stopped_server_restarts_on_same_port_with_same_data() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("kept").await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    run(&mut connection, "create table kept as select 42::bigint as answer").await;

    server.stop().unwrap();
    assert!(!process_exists(server.postmaster_pid()));
    PgConnection::connect(&url).await.unwrap_err();
    server.start_again().unwrap();

    let mut connection = PgConnection::connect(&url).await.unwrap();
    assert_eq!(count(&mut connection, "select answer from kept").await, 42);
    let folder = server.folder().to_owned();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn server_that_does_not_start_reports_why() {
    let Err(error) = Server::start_with(&[("shared_buffers", "a lot")]) else {
        panic!("it started with nonsense")
    };
    let message = error.to_string();
    assert!(message.contains("shared_buffers") && message.contains("127.0.0.1"), "{message}");
}

#[tokio::test]
async fn settings_given_at_start_apply() {
    let server = Server::start_with(&[("work_mem", "7MB")]).unwrap();
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let show = "select setting::bigint from pg_settings where name = 'work_mem'";
    assert_eq!(count(&mut connection, show).await, 7 * 1024);
    let version: String = sqlx::query_scalar("show server_version").fetch_one(&mut connection).await.unwrap();
    assert!(version.starts_with(server.version()));
}

#[tokio::test]
async fn demo_server_rejects_logins_without_its_password() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start_guarded().unwrap();
    let mode = std::fs::metadata(server.folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    for url in [server.url("postgres"), server.socket_url("postgres")] {
        let (account, place) = url.split_once('@').unwrap();
        assert!(account.len() > "postgres://postgres:".len() + 16, "{account}");
        PgConnection::connect(&url).await.unwrap().close().await.unwrap();
        for login in ["postgres", "postgres:wrong"] {
            let refused = PgConnection::connect(&format!("postgres://{login}@{place}")).await.unwrap_err();
            let code = refused.as_database_error().and_then(sqlx::error::DatabaseError::code);
            assert_eq!(code.as_deref(), Some("28P01"), "{refused}");
        }
    }
}
