//! `maintain backup` writes what `pg_restore` brings back, whole or not at all.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use marie_exporter::demo::shape::Shape;

use crate::databases::{Database, SERVER};
use crate::process::text;
use crate::scheduler::{Scheduler, maintain};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn pg_restore() -> PathBuf {
    let newest = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .max();
    newest.map_or("pg_restore".into(), |folder| folder.join("bin/pg_restore"))
}

#[tokio::test]
async fn what_was_purged_comes_back_from_the_backup_that_was_made_before() {
    let mut scheduler = Scheduler::new(Shape::Mid, 40, 0.85).await;
    let before = scheduler.everything().await;
    let folder = folder();
    let file = folder.path().join("before.dump");
    let file = file.to_str().unwrap();
    // Where somebody else would read along.
    let elsewhere = folder.path().join("elsewhere");
    std::fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, format!("{file}.partial")).unwrap();
    let told = scheduler
        .maintain(&["purge", "completed", "--older-than=7d", "--execute", "--backup-to", file])
        .expect();
    assert!(scheduler.everything().await["job"].len() < before["job"].len(), "{told}");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "it holds payloads");
    assert!(
        std::fs::symlink_metadata(file).unwrap().is_file() && std::fs::read(&elsewhere).unwrap().is_empty()
    );

    let url = SERVER.create_database("restored").await.unwrap();
    let restore =
        Command::new(pg_restore()).args(["--dbname", &url, "--exit-on-error", file]).output().unwrap();
    assert!(restore.status.success(), "{}", text(&restore.stderr));
    let admin = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let mut restored = Scheduler { database: Database { url, admin }, shape: Shape::Mid };
    restored.database.run("set search_path = marie_scheduler, pg_catalog").await;
    assert_eq!(restored.everything().await, before);
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_stops_what_was_to_follow() {
    let mut scheduler = Scheduler::new(Shape::New, 20, 0.85).await;
    let before = scheduler.everything().await;
    let folder = folder();
    let there = folder.path().join("there.dump");
    std::fs::write(&there, "somebody else's").unwrap();
    for (file, reason) in [
        (there.to_str().unwrap(), "exists already"),
        ("/nowhere/to.dump", "cannot make /nowhere/to.dump.partial"),
    ] {
        let purge = ["purge", "completed", "--older-than=0s", "--execute", "--backup-to", file];
        let refused = scheduler.maintain(&purge).refused();
        assert!(refused.contains(reason), "{refused}");
    }
    assert_eq!(scheduler.everything().await, before);
    assert_eq!(std::fs::read_to_string(&there).unwrap(), "somebody else's");

    let nowhere = folder.path().join("none.dump");
    let refused = maintain(
        "postgres://nobody:hunter2@127.0.0.1:1/none",
        &["backup", "--to", nowhere.to_str().unwrap()],
    );
    let refused = refused.refused();
    assert!(refused.contains("pg_dump") && !refused.contains("hunter2"), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no half file stays");
}
