//! `maintain backup` writes a complete file that `pg_restore` can restore, or no file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use marie_exporter::postgres::programs;
use sqlx::{Connection, PgConnection};

use crate::maintain::scheduler::{Scheduler, maintain};
use crate::support::databases::{Database, SERVER, run};
use crate::support::process::{command, send, text};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn backup_restores_what_was_purged() {
    let mut scheduler = Scheduler::new(Shape::Mid, 40, 0.85).await;
    let before = scheduler.snapshot().await;
    let folder = folder();
    let file = folder.path().join("before.dump");
    let file = file.to_str().unwrap();
    // The target of a link with which an attacker would redirect the payloads.
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, format!("{file}.partial")).unwrap();
    let printed = scheduler
        .maintain(&["purge", "completed", "--older-than=7d", "--execute", "--backup-to", file])
        .expect_success();
    assert!(scheduler.snapshot().await["job"].len() < before["job"].len(), "{printed}");
    assert_eq!(
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
        0o600,
        "the file holds payloads"
    );
    assert!(
        std::fs::symlink_metadata(file).unwrap().is_file() && std::fs::read(&elsewhere).unwrap().is_empty()
    );

    let url = SERVER.create_database("restored").await.unwrap();
    let restore = Command::new(programs::newest("pg_restore"))
        .args(["--dbname", &url, "--exit-on-error", file])
        .output()
        .unwrap();
    assert!(restore.status.success(), "{}", text(&restore.stderr));
    let admin = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let mut restored = Scheduler { database: Database { url, admin }, shape: Shape::Mid };
    restored.database.run("set search_path = marie_scheduler, pg_catalog").await;
    assert_eq!(restored.snapshot().await, before);
}

#[tokio::test]
async fn failed_backup_stops_purge() {
    let mut scheduler = Scheduler::new(Shape::New, 20, 0.85).await;
    let before = scheduler.snapshot().await;
    let folder = folder();
    let there = folder.path().join("there.dump");
    std::fs::write(&there, "other contents").unwrap();
    for (file, reason) in [
        (there.to_str().unwrap(), "exists already"),
        ("/nowhere/to.dump", "cannot make /nowhere/to.dump.partial"),
    ] {
        let purge = ["purge", "completed", "--older-than=0s", "--execute", "--backup-to", file];
        let refused = scheduler.maintain(&purge).expect_refusal();
        assert!(refused.contains(reason), "{refused}");
    }
    assert_eq!(scheduler.snapshot().await, before);
    assert_eq!(std::fs::read_to_string(&there).unwrap(), "other contents");

    let nowhere = folder.path().join("none.dump");
    let refused = maintain(
        "postgres://absent:hunter2@127.0.0.1:1/none",
        &["backup", "--to", nowhere.to_str().unwrap()],
    );
    let refused = refused.expect_refusal();
    assert!(refused.contains("cannot connect") && !refused.contains("hunter2"), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "an incomplete file is left");
}

/// Starts `maintain backup --to=FILE` in a folder.
fn start(scheduler: &Scheduler, folder: &Path, file: &str) -> Child {
    let mut run = command(&["maintain", "backup", &format!("--to={file}")]);
    run.args(["--database-url", &scheduler.database.url]).current_dir(folder);
    run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a `pg_dump` waits for a lock, or until none does.
async fn until_locked(scheduler: &mut Scheduler, is_locked: bool) {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
        and application_name = 'pg_dump' and wait_event_type = 'Lock'";
    let deadline = Instant::now() + Duration::from_secs(20);
    while (scheduler.count(waiting).await > 0) != is_locked {
        assert!(Instant::now() < deadline, "waiting for a lock: expected {is_locked}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn file_that_looks_like_option_is_written() {
    let scheduler = Scheduler::new(Shape::New, 5, 0.85).await;
    let folder = folder();
    let output = start(&scheduler, folder.path(), "-x").wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(names(folder.path()), ["-x"]);
}

#[tokio::test]
async fn file_created_during_dump_is_kept() {
    let mut scheduler = Scheduler::new(Shape::New, 5, 0.85).await;
    let folder = folder();
    let mut holder = scheduler.database.session().await;
    run(&mut holder, "begin; lock table job in access exclusive mode").await;
    let child = start(&scheduler, folder.path(), "new.dump");
    until_locked(&mut scheduler, true).await;
    std::fs::write(folder.path().join("new.dump"), "other contents").unwrap();
    run(&mut holder, "rollback").await;
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stderr).contains("new.dump exists already"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(folder.path().join("new.dump")).unwrap(), "other contents");
    assert_eq!(names(folder.path()), ["new.dump"]);
}

#[tokio::test]
async fn locked_table_and_signal_end_backup_without_file() {
    let mut scheduler = Scheduler::new(Shape::New, 5, 0.85).await;
    let folder = folder();
    let mut holder = scheduler.database.session().await;
    run(&mut holder, "begin; lock table job in access exclusive mode").await;
    let output = start(&scheduler, folder.path(), "locked.dump").wait_with_output().unwrap();
    let errors = text(&output.stderr);
    assert!(errors.contains("LOCK TABLE") && errors.contains("another session holds a lock"), "{errors}");
    for signal in ["INT", "TERM"] {
        let child = start(&scheduler, folder.path(), "ended.dump");
        until_locked(&mut scheduler, true).await;
        send(signal, child.id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{signal}");
        assert!(text(&output.stderr).contains("the backup was interrupted"), "{}", text(&output.stderr));
        until_locked(&mut scheduler, false).await;
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

/// With 120 relations in the schema, the limit, and with one more.
#[tokio::test]
async fn backup_keeps_within_an_eighth_of_the_lock_table() {
    let server = Server::start_with(&[("max_connections", "40")]).unwrap();
    let url = server.create_database("marie").await.unwrap();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    Shape::Mid.install(&mut admin, "marie_scheduler").await.unwrap();
    // The limit would be exceeded if the indexes of these counted too. pg_dump does not lock indexes.
    for queue in 1..=20 {
        run(&mut admin, &format!("select create_queue('q{queue}', '{{}}')")).await;
    }
    let folder = folder();
    let file = folder.path().join("x.dump");
    let backup = || {
        let mut backup = command(&["maintain", "backup", "--to", file.to_str().unwrap()]);
        backup.args(["--database-url", &url]).stdout(Stdio::piped()).stderr(Stdio::piped());
        backup
    };
    let relations = "select count(*) from pg_class where relnamespace = 'marie_scheduler'::regnamespace
        and relkind in ('r', 'p', 'S', 'v')";
    // An eighth of 40 times 64 locks is 320. The backup reserves 200 of them for the catalog.
    for fits in [true, false] {
        let wanted = if fits { 120 } else { 121 };
        let there: i64 = sqlx::query_scalar(relations).fetch_one(&mut admin).await.unwrap();
        for number in there..wanted {
            run(&mut admin, &format!("create table marie_scheduler.more_{number} ()")).await;
        }
        let mut child = backup().spawn().unwrap();
        let mut most = 0;
        while child.try_wait().unwrap().is_none() {
            let held: i64 = sqlx::query_scalar(
                "select count(*) from pg_locks join pg_stat_activity using (pid) where application_name = 'pg_dump'",
            )
            .fetch_one(&mut admin)
            .await
            .unwrap();
            most = most.max(held);
        }
        let output = child.wait_with_output().unwrap();
        if fits {
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert!((120..=320).contains(&most), "{most} locks");
            std::fs::remove_file(&file).unwrap();
        } else {
            let said = text(&output.stderr);
            assert!(!output.status.success() && said.contains("max_locks_per_transaction"), "{said}");
            assert_eq!((most, names(folder.path())), (0, Vec::new()));
        }
    }
}
