//! Two exporters on one database publish the same numbers, and neither blocks the other.

use marie_exporter::demo::shape::Shape;
use sqlx::Row;

use crate::support::databases::Database;
use crate::support::process::Process;
use crate::support::scrape::{metrics, until, until_ready};

#[tokio::test]
async fn two_exporters_agree_and_have_one_session_each() {
    let mut database = Database::new(Shape::Mid).await;
    let twins = [Process::serve(&database.url, &[]), Process::serve(&database.url, &[])];
    for twin in &twins {
        until_ready(twin.address());
    }
    database
        .run(
            "insert into job (id, name, dag_id) select gen_random_uuid(), 'idle', md5('dag')::uuid
             from generate_series(1, 7)",
        )
        .await;
    for twin in &twins {
        let url = format!("{}/metrics", twin.address());
        for line in [
            "marie_jobs{queue=\"idle\",state=\"created\"} 7\n",
            "marie_jobs_ready{queue=\"idle\"} 7\n",
            // Each exporter counts its own.
            "marie_jobs_created_total{queue=\"idle\"} 7\n",
        ] {
            until(&url, line, |answer| answer.text().contains(line));
        }
        assert_eq!(metrics(twin.address()).count("marie_collector_failures_total", &[]), 0.0);
    }
    let sessions = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'marie-exporter'";
    let sessions: i64 = sqlx::query(sessions).fetch_one(&mut database.admin).await.unwrap().get(0);
    assert_eq!(sessions, 2);
}
