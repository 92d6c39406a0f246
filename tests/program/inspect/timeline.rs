//! The timeline of `jobs show`: exactly the changes of the job among the refreshes of all jobs, found without reading the
//! whole history.

use marie_exporter::config::SchemaName;
use marie_exporter::demo::shape::Shape;
use marie_exporter::inspect;
use marie_exporter::schema::Schema;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use crate::inspect::in_process;
use crate::support::databases::Database;
use crate::support::long_tests::is_long_run;

const SHAPES: [Shape; 3] = [Shape::Old, Shape::Mid, Shape::New];

/// Row of the history.
struct Recorded {
    /// When its transaction began, in seconds.
    began: u32,
    /// Seconds from the begin of the transaction until the row got its id.
    delay: u32,
    job: usize,
    image: Image,
}

#[derive(Clone, Copy, PartialEq)]
struct Image {
    state: &'static str,
    retry_count: u32,
    started: Option<u32>,
    completed: Option<u32>,
}

/// Returns the random history of a job: changes with refreshes between and after them.
fn life(dice: &mut StdRng, job: usize) -> Vec<Recorded> {
    let mut now = dice.random_range(0..70_000);
    let mut image = Image { state: "created", retry_count: 0, started: None, completed: None };
    let mut rows = Vec::new();
    for _ in 0..dice.random_range(1..8) {
        for _ in 0..dice.random_range(1..20) {
            rows.push(Recorded { began: now, delay: dice.random_range(0..300), job, image });
            now += dice.random_range(1..60);
        }
        image.state = ["retry", "active", "active", "completed", "failed"].choose(dice).unwrap();
        match image.state {
            "active" if image.started.is_some() => image.retry_count += 1,
            "completed" | "failed" => image.completed = Some(now),
            _ => image.completed = None,
        }
        if image.state == "active" {
            image.started = Some(now);
        }
    }
    rows.push(Recorded { began: now, delay: 0, job, image });
    if image.state == "failed" {
        let refreshes = (1..30).map(|minute| Recorded { began: now + 60 * minute, delay: 0, job, image });
        rows.extend(refreshes);
    }
    // Transactions write a job one after the other, so its rows have ids in order.
    let mut latest = 0;
    for row in &mut rows {
        latest = latest.max(row.began + row.delay);
        row.delay = latest - row.began;
    }
    rows
}

fn time(seconds: Option<u32>) -> String {
    seconds.map_or("null".to_owned(), |seconds| {
        format!("timestamptz '2026-01-01 00:00:00Z' + interval '{seconds} seconds'")
    })
}

pub(crate) fn id(job: usize) -> String {
    format!("00000000-0000-4000-8000-{job:012}")
}

/// Fills `job` and `job_history` with random histories, and returns them.
async fn fill(database: &mut Database, seed: u64) -> Vec<Vec<Recorded>> {
    let mut dice = StdRng::seed_from_u64(seed);
    let lives: Vec<Vec<Recorded>> = (0..40).map(|job| life(&mut dice, job)).collect();
    database
        .run(
            "alter table job disable trigger all; truncate job, job_history cascade; \
              select setval('job_history_history_id_seq', 7)",
        )
        .await;
    let mut rows: Vec<&Recorded> = lives.iter().flatten().collect();
    rows.sort_by_key(|row| row.began + row.delay);
    let mut number = 7;
    let values: Vec<String> = rows
        .iter()
        .map(|row| {
            let Image { state, retry_count, started, completed } = row.image;
            // In real histories most ids are missing, because rows were rolled back or purged.
            number += dice.random_range(1..1000);
            format!(
                "({number}, '{}', 'extract', 0, '{state}', 2, {retry_count}, 0, false, now(), {}, '0', now(), {}, now(), \
                 md5('dag')::uuid, 0, false, {})",
                id(row.job),
                time(started),
                time(completed),
                time(Some(row.began))
            )
        })
        .collect();
    database
        .run(&format!(
            "insert into job_history (history_id, id, name, priority, state, retry_limit, retry_count, retry_delay, \
             retry_backoff, start_after, started_on, expire_in, created_on, completed_on, keep_until, dag_id, job_level, \
             sla_miss_logged, history_created_on) values {}",
            values.join(",\n")
        ))
        .await;
    let jobs: Vec<String> = lives
        .iter()
        .map(|life| {
            let Image { state, retry_count, started, completed } = life.last().unwrap().image;
            let created = match dice.random_range(0..10) {
                0 => "'infinity'".to_owned(),
                1 => "'-infinity'".to_owned(),
                2 => "'9999-12-31'".to_owned(),
                _ => time(Some(life[0].began)),
            };
            format!(
                "('{}', 'extract', '{state}', {retry_count}, {created}, {}, {}, md5('dag')::uuid)",
                id(life[0].job),
                time(started),
                time(completed)
            )
        })
        .collect();
    database
        .run(&format!(
            "insert into job (id, name, state, retry_count, created_on, started_on, completed_on, dag_id) values {}",
            jobs.join(",\n")
        ))
        .await;
    lives
}

fn printed(seconds: u32) -> String {
    let since_1970 = std::time::Duration::from_secs(u64::from(seconds) + 1_767_225_600);
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since_1970).to_string().replace('Z', "+00:00")
}

/// Returns the expected timeline: each row that differs from the row before.
fn changes(life: &[Recorded]) -> Vec<Value> {
    let mut before = None;
    let mut changes = Vec::new();
    for row in life {
        let image = row.image;
        if before.replace(image) != Some(image) {
            changes.push(json!({
                "recorded_on": printed(row.began), "state": image.state, "retry_count": image.retry_count,
                "started_on": image.started.map(printed), "completed_on": image.completed.map(printed),
                "run_attempt_id": null,
            }));
        }
    }
    changes
}

/// Asserts that the timelines of all jobs equal their histories.
async fn assert_timelines(database: &Database, lives: &[Vec<Recorded>], place: &str) {
    for life in lives.iter().step_by(if is_long_run() { 1 } else { 4 }) {
        let job = id(life[0].job);
        let shown = in_process::json(&database.url, &["jobs", "show", &job]).await;
        assert_eq!(shown["timeline"], Value::from(changes(life)), "{job} {place}");
    }
}

#[tokio::test]
async fn timeline_has_every_change_of_the_job_and_no_refresh() {
    for (seed, shape) in (1..).zip(SHAPES) {
        let mut database = Database::new(shape).await;
        let lives = fill(&mut database, seed).await;
        assert_timelines(&database, &lives, &format!("on {}, seed {seed}", shape.name())).await;
        database.run("create index on job_history (id, history_id)").await;
        assert_timelines(&database, &lives, &format!("on {} with an index", shape.name())).await;
    }
}

#[tokio::test]
async fn job_without_history_has_an_empty_timeline() {
    let mut database = Database::new(Shape::Mid).await;
    database.run("truncate job_history").await;
    let job: String =
        sqlx::query_scalar("select id::text from job").fetch_one(&mut database.admin).await.unwrap();
    let shown = in_process::json(&database.url, &["jobs", "show", &job]).await;
    assert_eq!(shown["timeline"], json!([]));
}

#[tokio::test]
async fn timeline_does_not_read_the_whole_history() {
    for shape in SHAPES {
        let mut database = Database::new(shape).await;
        fill(&mut database, 7).await;
        database.run("vacuum analyze job_history").await;
        let name: SchemaName = "marie_scheduler".parse().unwrap();
        let mut session = marie_exporter::postgres::Connection::new(database.session().await);
        let schema = Schema::read(&mut session, &name).await.unwrap();
        let timeline = inspect::queries().find(|query| query.sql.name == "show/timeline.sql").unwrap();
        let text = timeline.text(&schema);
        database
            .run(&format!(
                "set plan_cache_mode = force_custom_plan; prepare timeline (uuid, text, text) as {text}"
            ))
            .await;
        let explain = AssertSqlSafe(format!(
            "explain execute timeline ('{}', '2026-01-01 00:00Z', '2026-01-01 12:00Z')",
            id(3)
        ));
        let plan = sqlx::raw_sql(explain).fetch_all(&mut database.admin).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|line| line.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("job_history_pkey"), "{}: {plan}", shape.name());
        assert!(!plan.contains("Seq Scan on job_history"), "{}: {plan}", shape.name());
    }
}
