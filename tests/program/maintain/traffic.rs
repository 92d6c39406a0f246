//! `maintain archive` while jobs are reset, refreshed, finished and submitted; and while rows, tables or the maintain lock
//! are locked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use marie_exporter::demo::shape::Shape;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::maintain::scheduler::{Scheduler, maintain};
use crate::support::databases;
use crate::support::process::command;

/// Returns the changes that a scheduler and its operators make to the jobs of a DAG. `number` selects the DAG.
///
/// Even and odd numbers select from different DAGs, so that two sessions with such numbers cannot deadlock each other.
fn changes(number: u32) -> Vec<String> {
    let half = if number.is_multiple_of(2) { "<" } else { ">=" };
    let some = format!(
        "(select id from dag where id {half} '80000000-0000-0000-0000-000000000000'
         order by md5(id::text || {number}) limit 1)"
    );
    vec![
        // The refresh of unfinished jobs that the scheduler runs every minute.
        format!("update job set priority = priority + 1 where dag_id = {some} and state <> 'completed'"),
        // A reset of finished jobs. The state of the DAG changes in the same statement.
        format!(
            "with back as (
                 update job set state = 'created', completed_on = null, started_on = null
                 where dag_id = {some} returning dag_id
             )
             update dag set state = 'active' where id in (select dag_id from back)"
        ),
        // A late report of a worker, which makes one finished job active and leaves its DAG finished.
        format!(
            "update job set state = 'active' where id = (select id from job order by md5(id::text || {number}) limit 1)"
        ),
        // A job that is added late.
        format!(
            "insert into job (id, name, dag_id)
             select md5('late {number}')::uuid, 'extract', id from dag where id = {some}"
        ),
        // A worker that finishes.
        format!(
            "update job set state = 'completed', completed_on = now() where dag_id = {some} and state = 'active'"
        ),
    ]
}

/// Makes changes until `stop` is set, numbered from `first` in steps of two. Returns how many of them failed by a deadlock.
async fn make_changes(
    mut session: PgConnection,
    first: u32,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU32>,
) -> u32 {
    let mut deadlocks = 0;
    for number in (first..).step_by(2) {
        for statement in changes(number) {
            if stop.load(Ordering::Relaxed) {
                return deadlocks;
            }
            match sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut session).await {
                Ok(_) => {
                    done.fetch_add(1, Ordering::Relaxed);
                }
                // The DAG was archived before a job could be added.
                Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {}
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("40P01") => {
                    deadlocks += 1;
                }
                Err(error) => panic!("a change of the scheduler failed: {error}"),
            }
        }
    }
    deadlocks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archive_beside_traffic_moves_only_finished_dags() {
    for shape in [Shape::Mid, Shape::New] {
        let mut scheduler = Scheduler::new(shape, 120, 0.8).await;
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let mut tasks = Vec::new();
        for first in 0..2 {
            let session = scheduler.database.session().await;
            tasks.push(tokio::spawn(make_changes(session, first, Arc::clone(&stop), Arc::clone(&done))));
        }
        let url = scheduler.database.url.clone();
        let arguments = ["archive", "--older-than=7d", "--batch=20", "--execute"];
        let outcome = tokio::task::spawn_blocking(move || maintain(&url, &arguments)).await.unwrap();
        stop.store(true, Ordering::Relaxed);
        let printed = outcome.expect_success();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 0, "deadlocks of the scheduler");
        }
        assert!(done.load(Ordering::Relaxed) > 50, "too few changes: {done:?}");

        let left = scheduler.ids("select id from job").await;
        let archived = scheduler.ids("select id from archive").await;
        let ever = scheduler.ids("select distinct id from job_history").await;
        assert!(left.is_disjoint(&archived), "a job is in both tables");
        assert_eq!(left.union(&archived).cloned().collect::<BTreeSet<_>>(), ever, "a job was lost");
        assert!(!archived.is_empty(), "{printed}");
        let divided =
            "select count(*) from (select dag_id from job intersect select dag_id from archive) as divided";
        assert_eq!(scheduler.count(divided).await, 0, "a DAG is divided");
        let unfinished = "select count(*) from archive as a where a.state::text in ('retry', 'active')
            or a.completed_on >= now() - interval '7 days'
            or a.state::text = 'created' and not exists (
                select from archive as p
                where a.dependencies ? p.id::text and p.state::text not in ('completed', 'skipped')
            )";
        assert_eq!(scheduler.count(unfinished).await, 0, "unfinished work was taken");
    }
}

#[tokio::test]
async fn locked_dag_is_skipped() {
    let mut scheduler = Scheduler::new(Shape::New, 40, 0.8).await;
    let expected = scheduler.jobs_of_finished_dags("7 days", "true").await;
    let held = expected.first().unwrap();
    let mut session = scheduler.database.session().await;
    databases::run(&mut session, &format!("begin; update job set priority = 9 where id = '{held}'")).await;
    let printed = scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
    assert!(printed.contains("locked by another session or changed since the plan"), "{printed}");
    let of_dag = format!("select id from job where dag_id = (select dag_id from job where id = '{held}')");
    let stayed = scheduler.ids(&of_dag).await;
    let archived = scheduler.ids("select id from archive").await;
    assert_eq!(archived, expected.difference(&stayed).cloned().collect::<BTreeSet<_>>());
    databases::run(&mut session, "commit").await;
    scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
    assert_eq!(scheduler.ids("select id from archive").await, expected);
}

#[tokio::test]
async fn second_maintain_command_is_refused() {
    let mut scheduler = Scheduler::new(Shape::New, 10, 0.8).await;
    let before = scheduler.snapshot().await;
    let mut session = scheduler.database.session().await;
    let lock = format!(
        "begin; {}",
        include_str!("../../../src/maintain/lock.sql").replace("$1", "'marie_scheduler'")
    );
    databases::run(
        &mut session,
        "create role squatter; set role squatter; set application_name = 'a squatter'",
    )
    .await;
    databases::run(&mut session, &lock).await;
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut session).await.unwrap();
    let holder = format!("held by process {pid} of role postgres, application \"a squatter\", since 20");
    for arguments in [
        &["archive", "--older-than=7d", "--execute"][..],
        &["purge", "completed", "--older-than=7d", "--execute"],
        &["purge", "history", "--older-than=7d", "--execute"],
    ] {
        let refused = scheduler.maintain(arguments).expect_refusal();
        assert!(refused.contains("another marie-exporter maintain is running on the schema"), "{refused}");
        assert!(refused.contains(&holder), "{refused}");
    }
    assert_eq!(scheduler.snapshot().await, before);
    databases::run(&mut session, "rollback").await;
    assert!(command(&["maintain", "archive", "--help"]).output().unwrap().status.success());
    scheduler.maintain(&["archive", "--older-than=7d", "--execute"]).expect_success();
}

#[tokio::test]
async fn locked_table_is_named_with_advice() {
    let mut scheduler = Scheduler::new(Shape::Mid, 10, 0.8).await;
    scheduler.database.run("begin; lock table job in access exclusive mode").await;
    for arguments in [&["archive", "--older-than=7d"][..], &["purge", "all"]] {
        let refused = scheduler.maintain(arguments).expect_refusal();
        assert!(
            refused.contains("another session holds a lock on the scheduler's tables (see pg_locks)"),
            "{refused}"
        );
    }
    scheduler.database.run("rollback").await;
}
