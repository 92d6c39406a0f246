//! Dates that are none, in every time of every table: infinity both ways, the years -4713, 10000 and 294276, and
//! null. No collector fails for them, and no number is theirs.

use marie_exporter::demo::shape::Shape;
use sqlx::{AssertSqlSafe, Row};

use crate::support::databases::Database;
use crate::support::metrics::Metrics;
use crate::support::watch::Watch;

async fn value(database: &mut Database, sql: &str) -> f64 {
    let sql = format!("select ({sql})::float8 as value");
    sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut database.admin).await.unwrap().get("value")
}

/// Every sample of the collectors that is a time, but those that tell of the exporter or of vacuums.
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

async fn dates_that_are_none(shape: Shape) {
    let mut database = Database::new(shape).await;
    database.run("delete from job").await;
    database.run(include_str!("nullable.sql")).await;
    let watch = Watch::serve(&database.url, &["--dags.progress-limit=5"]);
    database.run(include_str!("dates.sql")).await;
    let metrics = watch.fresh();
    let jobs = value(&mut database, "select count(*) from job").await;
    assert_eq!(metrics.count("marie_jobs", &[]), jobs);
    assert_eq!(metrics.count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());

    // All good dates are one and the same.
    let instant = "select max(completed_on) from job where completed_on < now() + interval '1 day'";
    let good = value(&mut database, &format!("extract(epoch from ({instant}))")).await;
    let times = times(&metrics);
    assert!(times.len() >= 6, "{times:?}");
    assert!(times.iter().all(|time| *time == good), "{good}: {times:?}");

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
async fn job_without_queue_is_in_no_number_and_fails_nothing() {
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
    watch.until("the one with a queue is counted", |now| now.count("marie_jobs_finished_total", &[]) == 1.0);
    assert_eq!(watch.metrics().count("marie_collector_failures_total", &[]), 0.0, "{}", watch.page());
    watch.end();
}

#[tokio::test]
async fn on_the_new_shape_no_number_is_of_a_date_that_is_none() {
    dates_that_are_none(Shape::New).await;
}

#[tokio::test]
async fn on_the_mid_shape_no_number_is_of_a_date_that_is_none() {
    dates_that_are_none(Shape::Mid).await;
}

#[tokio::test]
async fn on_the_pages_shape_no_number_is_of_a_date_that_is_none() {
    dates_that_are_none(Shape::Page).await;
}
