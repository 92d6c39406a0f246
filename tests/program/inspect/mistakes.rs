//! Mistakes of users, and undocumented states in a database: no output is mistaken for another one.

use std::fs::OpenOptions;

use marie_exporter::demo::shape::Shape;
use sqlx::Row;

use crate::inspect::in_process;
use crate::support::databases::Database;
use crate::support::process::{command, output, text};
use crate::support::random_tables::filled;

#[tokio::test]
async fn unknown_queue_is_named_in_the_note() {
    for shape in [Shape::Mid, Shape::Page] {
        let database = filled(shape, 0.25).await;
        for command in ["stuck", "list", "failed", "retrying", "next"] {
            let answer = in_process::run(&database.url, &["jobs", command, "--queue=nosuch"]).await.unwrap();
            let note = answer.note.unwrap();
            assert!(note.starts_with("No rows: there is no queue \"nosuch\" here"), "{command}: {note}");
        }
        let answer =
            in_process::run(&database.url, &["jobs", "stuck", "--queue=$classify_dlq", "--stuck.after=300d"]);
        assert_eq!(answer.await.unwrap().note.unwrap(), "No rows.");
    }
}

#[tokio::test]
async fn undocumented_state_is_shown_unchanged() {
    let mut database = Database::new(Shape::Page).await;
    let dag = "00000000-0000-4000-8000-000000000001";
    database
        .run(&format!(
            "insert into job (id, dag_id, name, state) values
                 (gen_random_uuid(), '{dag}', 'extract', 'suspended'), (gen_random_uuid(), '{dag}', 'extract', 'completed')"
        ))
        .await;
    let listed = in_process::column(&database.url, &["jobs", "list", "--state=suspended"], "state").await;
    assert_eq!(listed, ["suspended"]);
    let stats = in_process::json(&database.url, &["stats"]).await;
    assert_eq!((&stats[0]["skipped"], &stats[0]["other"]), (&0.into(), &1.into()), "{stats}");
    let shown = in_process::json(&database.url, &["dags", "show", dag]).await.to_string();
    assert!(shown.contains("\"completed\":1") && shown.contains("\"progress_pct\":50.0"), "{shown}");
    let mut mid = Database::new(Shape::Mid).await;
    mid.run("select 1").await;
    let refused =
        in_process::run(&mid.url, &["jobs", "list", "--state=suspended"]).await.unwrap_err().to_string();
    assert!(refused.contains("jobs here have no state \"suspended\""), "{refused}");
}

/// Asserts that the columns of a row add up to the column `total`.
fn assert_adds_up(row: &serde_json::Value, total: &str, not_counted: &[&str]) {
    let count = |value: &serde_json::Value| value.as_u64().unwrap_or_default();
    let parts = row
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != total && !not_counted.contains(&name.as_str()));
    assert_eq!(parts.map(|(_, value)| count(value)).sum::<u64>(), count(&row[total]), "{row}");
}

#[tokio::test]
async fn rows_with_unknown_states_add_up() {
    let dag = "00000000-0000-4000-8000-000000000001";
    let mut page = Database::new(Shape::Page).await;
    page.run(&format!(
        "insert into job (id, dag_id, name, state) select gen_random_uuid(), '{dag}', 'extract', state
         from unnest(array['paused', 'PENDING', 'Completed', '', 'created', 'completed', 'cancelled']) as s (state)"
    ))
    .await;
    let mut mid = Database::new(Shape::Mid).await;
    mid.run("alter type job_state add value 'suspended'").await;
    mid.run(&format!(
        "insert into dag (id, name) values ('{dag}', 'd');
         insert into job (id, dag_id, name, state) select gen_random_uuid(), '{dag}', 'extract', state::job_state
         from unnest(enum_range(null::job_state)) as s (state)"
    ))
    .await;
    for (database, other) in [(&page, 4), (&mid, 1)] {
        let stats = in_process::json(&database.url, &["stats"]).await;
        assert_eq!(stats[0]["other"], other, "{stats}");
        assert_adds_up(&stats[0], "total", &["queue"]);
        let progress = in_process::json(&database.url, &["dags", "show", dag]).await["progress"].clone();
        assert_adds_up(&progress, "total_jobs", &["progress_pct"]);
        let csv = in_process::text(&database.url, &["stats", "--format=csv"]).await;
        assert!(
            csv.starts_with(
                "queue,created,retry,active,completed,failed,expired,cancelled,skipped,other,total\n"
            ),
            "{csv}"
        );
    }
}

#[tokio::test]
async fn full_disk_fails_but_closed_pipe_does_not() {
    let database = filled(Shape::Mid, 0.25).await;
    let list = ["jobs", "list", "--format=csv", "--database-url", &database.url];
    let full = || OpenOptions::new().write(true).open("/dev/full");
    let Ok(disk) = full() else { return };
    let mut run = command(&list);
    let ended = run.stdout(disk).output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("cannot write to standard output"), "{}", text(&ended.stderr));
    // The note about more rows cannot be written either, which is no failure.
    let mut run = command(&list);
    let ended = run.stderr(full().unwrap()).output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
}

#[tokio::test]
async fn lock_of_another_session_is_the_named_reason() {
    let mut database = filled(Shape::Mid, 0.25).await;
    database.run("begin; lock table job in access exclusive mode").await;
    let refused = in_process::run(&database.url, &["jobs", "stuck"]).await.unwrap_err().to_string();
    assert!(refused.contains("another session") && refused.contains("pg_locks"), "{refused}");
    database.run("rollback").await;
}

#[test]
fn incomplete_command_prints_help() {
    for words in [&["jobs"] as &[&str], &["maintain", "purge"], &[]] {
        let ended = output(words);
        assert_eq!(ended.status.code(), Some(2));
        let shown = text(&ended.stderr);
        assert!(shown.contains("Usage: marie-exporter") && !shown.starts_with("error:"), "{shown}");
    }
    let ended = output(&["jobs", "show", "my-job", "--database-url=postgres://u@h/d"]);
    assert!(text(&ended.stderr).contains("must be a UUID"), "{}", text(&ended.stderr));
}

#[tokio::test]
async fn list_of_a_rare_state_reads_no_other_jobs() {
    for shape in [Shape::Old, Shape::Mid, Shape::New] {
        let mut database = Database::new(shape).await;
        let list = include_str!("../../../src/inspect/jobs/list.sql");
        database
            .run(&format!(
                "insert into job (id, name, state, dag_id)
                 select gen_random_uuid(), 'extract', 'completed', md5('dag')::uuid from generate_series(1, 20000);
                 analyze job;
                 set plan_cache_mode = force_custom_plan;
                 prepare listed (bigint, bigint, text[], text, uuid, float8) as {list}"
            ))
            .await;
        let explain = "explain (analyze) execute listed (51, 0, array['expired'], null, null, null)";
        let rows = sqlx::raw_sql(explain).fetch_all(&mut database.admin).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("Index") && !plan.contains("Seq Scan on job"), "{}: {plan}", shape.name());
        assert!(!plan.contains("Rows Removed by Filter: 20000"), "{}: {plan}", shape.name());
    }
}
