//! A standby whose replay cancels queries and that is promoted, and a primary that rejects writes.

use std::fs;
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::{Connection, PgConnection};

use crate::support::databases::{Database, furnished, run};
use crate::support::metrics::Metrics;
use crate::support::watch::Watch;

/// Creates a standby of the server that cancels queries which block replay for longer than `patience`.
fn standby_of(primary: &Server, patience: &str) -> Server {
    let mut standby = Server::start().unwrap();
    standby.stop().unwrap();
    let data = standby.folder().join("data");
    fs::remove_dir_all(&data).unwrap();
    let copied = standby
        .program("pg_basebackup")
        .args(["--pgdata", "data", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
        .args(["--dbname", &primary.url("postgres")])
        .output()
        .unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let settings = data.join("postgresql.conf");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}\nmax_standby_streaming_delay = '{patience}'\n")).unwrap();
    standby.start_again().unwrap();
    standby
}

async fn replicated(patience: &str) -> (Server, PgConnection, Server) {
    let primary = Server::start().unwrap();
    let url = primary.create_database("marie").await.unwrap();
    let admin = furnished(&url, Shape::New).await;
    let standby = standby_of(&primary, patience);
    (primary, admin, standby)
}

fn is_in_recovery(metrics: &Metrics, answer: &str) -> bool {
    metrics.value("marie_database_info", &[("in_recovery", answer)]) == Some(1.0)
}

const FINISH: &str = "update job set state = 'completed', completed_on = now()";

#[tokio::test]
async fn promoted_standby_is_primary_and_counters_continue() {
    let (primary, mut admin, standby) = replicated("30s").await;
    let watch = Watch::serve(&standby.url("marie"), &[]);
    assert!(is_in_recovery(&watch.metrics(), "true"));
    run(&mut admin, FINISH).await;
    let finished = |now: &Metrics| now.count("marie_jobs_finished_total", &[]);
    watch.until("the primary's event is counted", |now| finished(now) == 1.0);

    admin.close().await.unwrap();
    drop(primary);
    let mut promoted = PgConnection::connect(&standby.url("marie")).await.unwrap();
    run(&mut promoted, "select pg_promote(); set search_path = marie_scheduler").await;
    watch.until("the promotion is noticed", |now| is_in_recovery(now, "false"));
    let lost = [("collector", "events"), ("reason", "history_lost")];
    watch.until("the promotion is counted", |now| now.count("marie_collector_failures_total", &lost) == 1.0);
    watch.recovers();
    // Without being active in between, a second completion would not be an event.
    run(&mut promoted, "update job set state = 'active', completed_on = null").await;
    run(&mut promoted, FINISH).await;
    watch.until("its own event is counted", |now| finished(now) == 2.0);
    assert_eq!(watch.metrics().count("marie_collector_failures_total", &[]), 1.0);
    watch.end();
}

#[tokio::test]
async fn query_that_blocks_replay_fails_as_conflict() {
    let (_primary, mut admin, standby) = replicated("0").await;
    run(
        &mut admin,
        "begin;
         alter table version rename to version_rows;
         create view version as select * from version_rows where (select true from pg_sleep(0.5));
         commit",
    )
    .await;
    let watch = Watch::serve(&standby.url("marie"), &[]);
    let conflict = [("collector", "scheduler"), ("pace", "pulse"), ("reason", "conflict")];
    // The primary vacuums rows that the standby reads.
    let deadline = Instant::now() + Duration::from_mins(1);
    while watch.metrics().count("marie_collector_failures_total", &conflict) == 0.0 {
        assert!(Instant::now() < deadline, "no query blocked replay");
        run(&mut admin, "update version_rows set cron_on = now()").await;
        run(&mut admin, "vacuum version_rows").await;
    }
    let metrics = watch.until("the database is still reached", |now| now.value("marie_up", &[]) == Some(1.0));
    assert!(metrics.has("marie_jobs"));
    watch.recovers();
    watch.end();
}

#[tokio::test]
async fn read_only_database_is_read_without_failures() {
    let mut database = Database::new(Shape::New).await;
    let watch = Watch::serve(&database.url, &[]);
    let name = database.url.rsplit('/').next().unwrap().to_owned();
    database
        .run(&format!(
            "alter database {name} set default_transaction_read_only = on;
             select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name = 'marie-exporter'"
        ))
        .await;
    let metrics = watch.recovers();
    assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());
    watch.end();
}
