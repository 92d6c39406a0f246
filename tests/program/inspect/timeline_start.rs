//! Start of a job's timeline if no index finds its rows.

use marie_exporter::demo::shape::Shape;
use serde_json::Value;

use crate::inspect::in_process;
use crate::inspect::timeline::id;
use crate::support::databases::Database;

/// Inserts rows of the history, given as (seconds ago, state, seconds since its start), and the job that they describe.
async fn insert_history(database: &mut Database, created_on: &str, rows: &[(u32, &str, Option<u32>)]) {
    let ago = |ago: Option<u32>| {
        ago.map_or("null::timestamptz".to_owned(), |ago| format!("now() - interval '{ago} seconds'"))
    };
    database.run("alter table job disable trigger all; truncate job, job_history cascade").await;
    let (_, state, started) = rows.last().unwrap();
    database
        .run(&format!(
            "insert into job (id, name, state, created_on, started_on, dag_id) values
                 ('{}', 'extract', '{state}', {created_on}, {}, md5('dag')::uuid)",
            id(1),
            ago(*started)
        ))
        .await;
    for (recorded, state, started) in rows {
        database
            .run(&format!(
                "insert into job_history (id, name, priority, state, retry_limit, retry_count, retry_delay, retry_backoff, \
                 start_after, started_on, expire_in, created_on, keep_until, dag_id, job_level, sla_miss_logged, \
                 history_created_on) values ('{}', 'extract', 0, '{state}', 2, 0, 0, false, now(), {}, '0', now(), now(), \
                 md5('dag')::uuid, 0, false, {})",
                id(1),
                ago(*started),
                ago(Some(*recorded))
            ))
            .await;
    }
}

fn states(shown: &Value) -> Vec<&str> {
    shown["timeline"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect()
}

const DAY: u32 = 86_400;

/// Asserts that without an index on the job's id the timeline has the states `found`, and with it the states `all`.
/// Returns the output without the index.
async fn assert_timeline(
    created_on: &str,
    rows: &[(u32, &str, Option<u32>)],
    found: &[&str],
    all: &[&str],
) -> Value {
    let mut database = Database::new(Shape::Mid).await;
    insert_history(&mut database, created_on, rows).await;
    let shown = in_process::json(&database.url, &["jobs", "show", &id(1)]).await;
    assert_eq!(states(&shown), found, "{shown}");
    let note = shown["timeline_note"].as_str().unwrap();
    let text = in_process::text(&database.url, &["jobs", "show", &id(1)]).await;
    assert!(text.contains(&format!("\n{note}")), "{note} is not in {text}");
    database.run("create index on job_history (id)").await;
    let indexed = in_process::json(&database.url, &["jobs", "show", &id(1)]).await;
    assert_eq!(states(&indexed), all, "{indexed}");
    assert!(indexed.get("timeline_note").is_none(), "{indexed}");
    shown
}

#[tokio::test]
async fn note_says_that_rows_before_a_reset_are_omitted() {
    let shown = assert_timeline(
        "now() - interval '5 minutes'",
        &[
            (2 * DAY, "created", None),
            (2 * DAY - 60, "active", Some(2 * DAY - 60)),
            (2 * DAY - 120, "failed", Some(2 * DAY - 60)),
            (300, "created", None),
            (200, "active", Some(200)),
        ],
        &["created", "active"],
        &["created", "active", "failed", "created", "active"],
    )
    .await;
    let note = shown["timeline_note"].as_str().unwrap();
    assert!(note.starts_with("rows recorded before 20") && note.contains(" or after 20"), "{note}");
    assert!(note.ends_with("were not looked for; with an index on job_history (id) all are found"), "{note}");
}

#[tokio::test]
async fn job_created_in_the_future_has_a_timeline() {
    let rows = [(120, "created", None), (60, "active", Some(60))];
    assert_timeline("now() + interval '2 hours'", &rows, &["created", "active"], &["created", "active"])
        .await;
    let rows = [(DAY, "created", None), (DAY - 60, "active", Some(DAY - 60)), (60, "retry", Some(DAY - 60))];
    let all = ["created", "active", "retry"];
    let shown = assert_timeline("now() + interval '2 hours'", &rows, &all, &all).await;
    let note = shown["timeline_note"].as_str().unwrap();
    assert!(!note.contains("after"), "{note}");
}

/// Otherwise the history of all jobs since then would be read.
#[tokio::test]
async fn rows_long_after_start_of_active_job_are_not_read() {
    assert_timeline(
        "now() - interval '2 days'",
        &[
            (2 * DAY, "created", None),
            (DAY, "active", Some(DAY)),
            (DAY - 660, "cancelled", Some(DAY)),
            (60, "active", Some(DAY)),
        ],
        &["created", "active"],
        &["created", "active", "cancelled", "active"],
    )
    .await;
}

#[tokio::test]
async fn locked_history_leaves_the_other_sections() {
    let mut database = Database::new(Shape::New).await;
    let job: String =
        sqlx::query_scalar("select id::text from job").fetch_one(&mut database.admin).await.unwrap();
    let mut other = database.session().await;
    crate::support::databases::run(&mut other, "begin; lock table job_history in access exclusive mode")
        .await;
    let text = in_process::text(&database.url, &["jobs", "show", &job, "--payload"]).await;
    let (_, timeline) = text.split_once("\nTIMELINE\n").unwrap();
    assert!(
        timeline.starts_with("could not be read: show/timeline.sql: canceling statement due to lock"),
        "{text}"
    );
    for section in ["JOB\n", "\nLEASES\n", "\nPARENTS\nnone", "\nATTEMPTS\nnone", "\nDATA\nnone"] {
        assert!(text.contains(section), "{section} is not in {text}");
    }
    let shown = in_process::json(&database.url, &["jobs", "show", &job]).await;
    assert!(shown["timeline"]["error"].as_str().unwrap().contains("lock timeout"), "{shown}");
}
