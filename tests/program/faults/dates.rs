//! Invalid dates in every time column of every table: both infinities, the years -4713, 10000 and 294276, and null.
//!
//! They make no collector fail and enter no number.

use marie_exporter::demo::shape::Shape;
use sqlx::{AssertSqlSafe, Row};

use crate::support::databases::Database;
use crate::support::metrics::Metrics;
use crate::support::watch::Watch;

async fn value(database: &mut Database, sql: &str) -> f64 {
    let sql = format!("select ({sql})::float8 as value");
    sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut database.admin).await.unwrap().get("value")
}

/// Returns every published time, except those of the exporter and of vacuums.
fn times(metrics: &Metrics) -> Vec<f64> {
    let families = marie_exporter::cli::metric_table::families();
    let names = families.iter().map(|family| family.name).filter(|name| {
        name.ends_with("_timestamp_seconds")
            && !name.starts_with("marie_collector_")
            && !name.starts_with("marie_table_")
            && !name.starts_with("marie_events_")
    });
    names.flat_map(|name| metrics.values(name, &[])).collect()
}

async fn assert_invalid_dates_are_ignored(shape: Shape) {
    let mut database = Database::new(shape).await;
    database.run("delete from job").await;
    database.run(include_str!("nullable.sql")).await;
    let watch = Watch::serve(&database.url, &["--dags.progress-limit=5"]);
    database.run(include_str!("dates.sql")).await;
    let metrics = watch.fresh();
    let jobs = value(&mut database, "select count(*) from job").await;
    assert_eq!(metrics.count("marie_jobs", &[]), jobs);
    assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());

    // All valid dates are the same.
    let instant = "select max(completed_on) from job where completed_on < now() + interval '1 day'";
    let valid = value(&mut database, &format!("extract(epoch from ({instant}))")).await;
    let times = times(&metrics);
    assert!(times.len() >= 6, "{times:?}");
    assert!(times.iter().all(|time| *time == valid), "{valid}: {times:?}");

    let completed =
        format!("select count(*) from job where state = 'completed' and completed_on = ({instant})");
    let completed = value(&mut database, &completed).await;
    assert_eq!(metrics.count("marie_jobs_completed_last_hour", &[]), completed);
    assert_eq!(metrics.count("marie_jobs_completed_last_day", &[]), completed);

    if shape != Shape::Page {
        let created =
            format!("select count(*) from job where state = 'created' and created_on = ({instant})");
        let created = value(&mut database, &created).await;
        let finished = [("state", "completed")];
        let metrics = watch.until("the events are counted", |now| {
            now.count("marie_jobs_created_total", &[]) >= created
                && now.count("marie_jobs_finished_total", &finished) >= completed
        });
        assert_eq!(metrics.count("marie_jobs_created_total", &[]), created);
        assert_eq!(metrics.count("marie_jobs_finished_total", &finished), completed);
        assert_eq!(metrics.count("marie_jobs_past_expiry", &[]), 0.0);
    }
    watch.end();
}

#[tokio::test]
async fn job_without_queue_is_ignored() {
    let mut database = Database::new(Shape::New).await;
    database
        .run("alter table job alter name drop not null; alter table job_history alter name drop not null")
        .await;
    let watch = Watch::serve(&database.url, &[]);
    let before = watch.metrics().count("marie_jobs", &[]);
    database
        .run(
            "insert into job (id, name, dag_id, state, completed_on)
             select gen_random_uuid(), name, md5('dag')::uuid, state, case state when 'completed' then now() end
             from unnest(array[null, 'extract']) as q (name)
             cross join unnest(array['created', 'active', 'completed']::job_state[]) as s (state)",
        )
        .await;
    let metrics = watch.fresh();
    assert_eq!(metrics.count("marie_jobs", &[]), before + 3.0);
    watch.until("the job with a queue is counted", |now| now.count("marie_jobs_finished_total", &[]) == 1.0);
    assert_eq!(watch.metrics().count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());
    watch.end();
}

#[tokio::test]
async fn new_shape_ignores_invalid_dates() {
    assert_invalid_dates_are_ignored(Shape::New).await;
}

#[tokio::test]
async fn mid_shape_ignores_invalid_dates() {
    assert_invalid_dates_are_ignored(Shape::Mid).await;
}

#[tokio::test]
async fn page_shape_ignores_invalid_dates() {
    assert_invalid_dates_are_ignored(Shape::Page).await;
}
