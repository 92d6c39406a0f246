//! State files after a fault, after an upgrade, and of another database.

use marie_exporter::collect::events::EventCounter;
use marie_exporter::demo::shape::Shape;

use crate::events::counting::{self, Counting, FINISH, Folder, sum};
use crate::events::new_database;
use crate::support::databases::Database;

async fn counted(counting: &mut Counting, database: &mut Database) -> f64 {
    sum(&counting.settle(database).await, "marie_jobs_finished_total")
}

#[tokio::test]
async fn events_during_a_restart_are_counted() {
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
    database.run(FINISH).await;
    assert_eq!(counted(&mut counting, &mut database).await, 1.0);
    database.run(FINISH).await;
    counting.restart();
    let first = counting.run().await.unwrap();
    assert!(sum(&first, "marie_jobs_finished_total") >= 1.0, "the first run publishes the saved total");
    assert_eq!(counted(&mut counting, &mut database).await, 2.0);
    assert_eq!(folder.names(), ["events.json"]);
}

#[tokio::test]
async fn damaged_or_newer_state_file_is_kept_and_counting_restarts() {
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    for contents in ["", "{\"format\": 1, \"tot", "{\"format\": 3, \"other\": 3}", "\u{0}\u{0}\u{0}"] {
        std::fs::write(folder.file(), contents).unwrap();
        let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
        database.run(FINISH).await;
        assert_eq!(counted(&mut counting, &mut database).await, 1.0);
        let aside = folder.names().into_iter().find(|name| name.contains("unused")).unwrap();
        let aside = folder.file().with_file_name(aside);
        assert_eq!(std::fs::read_to_string(&aside).unwrap(), contents);
        std::fs::remove_file(aside).unwrap();
    }
}

#[tokio::test]
async fn state_file_of_another_database_is_set_aside() {
    let mut mine = new_database(Shape::New).await;
    let mut other = new_database(Shape::New).await;
    let folder = Folder::new();
    let mut counting = Counting::start_with(&other, &[&folder.flag()]).await;
    other.run(FINISH).await;
    assert_eq!(counted(&mut counting, &mut other).await, 1.0);

    let mut counting = Counting::start_with(&mine, &[&folder.flag()]).await;
    mine.run(FINISH).await;
    assert_eq!(counted(&mut counting, &mut mine).await, 1.0, "events of the other database are not counted");
    assert_eq!(folder.names().len(), 2, "{:?}", folder.names());
}

#[tokio::test]
async fn changed_bounds_reset_only_their_histogram() {
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    let finish =
        "update job set state = 'completed', started_on = now(), completed_on = now() where name = 'extract'";
    let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
    database.run(finish).await;
    counting.settle(&mut database).await;
    counting.config.events.run = marie_exporter::config::Buckets(vec![std::time::Duration::from_secs(7)]);
    counting.restart();
    let now = counting.settle(&mut database).await;
    assert_eq!(sum(&now, "marie_jobs_finished_total"), 1.0);
    assert_eq!(sum(&now, "marie_job_wait_seconds"), 1.0);
    assert_eq!(sum(&now, "marie_job_run_seconds"), 0.0);
}

#[tokio::test]
async fn unwritable_state_file_fails_and_publishes_nothing() {
    let config = |flag: &str| counting::config("postgres://reader@127.0.0.1:1/none", &[flag]);
    let error = EventCounter::new(&config("--state-file=/nowhere/at/all")).err().unwrap().to_string();
    assert!(error.contains("\"/nowhere/at/all\" cannot be written: No such file"), "{error}");

    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
    // Root may write to any folder, so a folder takes the place of the temporary file.
    let blocked = folder.file().with_file_name(format!("events.json.new-{}", std::process::id()));
    std::fs::create_dir(&blocked).unwrap();
    database.run(FINISH).await;
    let failure = counting.run().await.unwrap_err();
    assert!(failure.message.contains("events.json\" cannot be written"), "{failure}");
    std::fs::remove_dir(&blocked).unwrap();
    assert_eq!(counted(&mut counting, &mut database).await, 1.0);
}

/// Earlier releases wrote format 1.
#[tokio::test]
async fn state_file_of_format_1_is_read() {
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
    database.run(FINISH).await;
    counting.settle(&mut database).await;
    folder.change(|saved| {
        let saved = saved.as_object_mut().unwrap();
        for new in ["watermarks", "recent", "presence"] {
            saved.remove(new).unwrap();
        }
        saved.insert("format".to_owned(), 1.into());
        for total in saved["totals"].as_array_mut().unwrap() {
            let total = total.as_object_mut().unwrap();
            total.remove("published");
            total.insert("is_shown".to_owned(), true.into());
        }
    });
    database.run(FINISH).await;
    counting.restart();
    assert_eq!(sum(&counting.run().await.unwrap(), "marie_jobs_finished_total"), 1.0);
    assert_eq!(counted(&mut counting, &mut database).await, 2.0);
    assert_eq!(folder.names(), ["events.json"], "no file is set aside");
}

#[tokio::test]
async fn state_file_follows_no_link_and_is_private() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mut database = new_database(Shape::New).await;
    let folder = Folder::new();
    let victim = folder.file().with_file_name("victim");
    std::fs::write(&victim, "precious").unwrap();
    let temporary = folder.file().with_file_name(format!("events.json.new-{}", std::process::id()));
    symlink(&victim, &temporary).unwrap();
    let mut counting = Counting::start_with(&database, &[&folder.flag()]).await;
    symlink(&victim, &temporary).unwrap();
    database.run(FINISH).await;
    counting.settle(&mut database).await;
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(std::fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);

    std::fs::remove_file(folder.file()).unwrap();
    symlink(&victim, folder.file()).unwrap();
    let error = EventCounter::new(&counting.config).err().unwrap().to_string();
    assert!(error.contains("it is a symbolic link"), "{error}");
}
