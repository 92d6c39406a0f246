//! The progress of single DAGs equals the maintenance page's.

use marie_exporter::collect::collectors::dags::COLLECTOR;
use marie_exporter::collect::pace::Pace;
use marie_exporter::demo::shape::Shape;
use sqlx::Row;

use crate::queries::rows::{Dag, HOUR, Job};
use crate::queries::scheduler::Scheduler;

/// The page's query for every DAG. States are compared as text, because not every enum has `skipped`.
const PAGE: &str = "select
        dag_id::text as dag_id,
        count(*)::float8 as total_jobs,
        count(*) filter (where state::text in ('completed', 'skipped'))::float8 as completed,
        count(*) filter (where state = 'active')::float8 as active,
        count(*) filter (where state = 'failed')::float8 as failed,
        round(
            100.0 * count(*) filter (
                where state::text in ('completed', 'skipped', 'failed', 'cancelled', 'expired')
            ) / nullif(count(*), 0),
            1
        )::float8 as progress_pct
    from job
    group by dag_id";

const WITH_DAGS: [Shape; 3] = [Shape::Old, Shape::Mid, Shape::New];

/// Creates one active DAG for each list of job states.
async fn scheduler_with(shape: Shape, dags: &[&[&str]]) -> Scheduler {
    let mut scheduler = Scheduler::new(shape).await;
    scheduler.config.dags_progress_limit = 100;
    scheduler.create_queue("extract", "{}").await;
    let (mut rows, mut jobs) = (Vec::new(), Vec::new());
    for states in dags {
        let dag = Dag { started: Some(-HOUR), ..Dag::new(1000 + rows.len() as u128, "active", "ocr") };
        for state in *states {
            jobs.push(Job::new(1 + jobs.len() as u128, "extract", &dag, state));
        }
        rows.push(dag);
    }
    scheduler.insert(&rows, &jobs).await;
    scheduler
}

#[tokio::test]
async fn dag_without_finished_job_has_progress_0() {
    for shape in WITH_DAGS {
        let mut scheduler = scheduler_with(shape, &[&["created", "active"]]).await;
        let series = scheduler.series(&COLLECTOR).await;
        let ratio: Vec<f64> = series
            .iter()
            .filter(|((name, _), _)| *name == "marie_dag_progress_ratio")
            .map(|(_, v)| *v)
            .collect();
        assert_eq!(ratio, [0.0], "on {}", shape.name());
    }
}

#[tokio::test]
async fn dag_progress_equals_the_maintenance_page() {
    let dags: &[&[&str]] = &[
        &["created"],
        &["completed", "completed", "active"],
        &["completed", "failed", "cancelled", "expired", "created", "retry", "active"],
        &["failed", "completed", "completed"],
        &["completed"; 7],
    ];
    for shape in WITH_DAGS {
        let mut scheduler = scheduler_with(shape, dags).await;
        if shape == Shape::New {
            scheduler.execute("update job set state = 'skipped' where state in ('expired', 'retry')").await;
        }
        let series = scheduler.series(&COLLECTOR).await;
        let rows = scheduler.fetch(PAGE).await;
        assert_eq!(rows.len(), dags.len());
        for row in rows {
            let dag: String = row.get("dag_id");
            let planner = if shape == Shape::Old { "unknown" } else { "ocr" };
            let ratio = series[&("marie_dag_progress_ratio", vec![dag.clone(), planner.to_owned()])];
            let percent = (1000.0 * ratio).round() / 10.0;
            assert_eq!(percent.to_string(), row.get::<f64, _>("progress_pct").to_string());
            let jobs = |states: &[&str]| -> f64 {
                let in_one_of = |labels: &[String]| labels[0] == dag && states.contains(&labels[2].as_str());
                let found = series
                    .iter()
                    .filter(|((name, labels), _)| *name == "marie_dag_jobs" && in_one_of(labels));
                found.fold(0.0, |sum, (_, value)| sum + value)
            };
            let page = |column: &str| row.get::<f64, _>(column).to_string();
            assert_eq!(jobs(&["completed", "skipped"]).to_string(), page("completed"));
            assert_eq!(jobs(&["active"]).to_string(), page("active"));
            assert_eq!(jobs(&["failed"]).to_string(), page("failed"));
            let states =
                ["created", "retry", "active", "completed", "skipped", "failed", "cancelled", "expired"];
            assert_eq!(jobs(&states).to_string(), page("total_jobs"));
        }
    }
}

#[tokio::test]
async fn single_dags_have_series_only_with_progress_limit() {
    let mut scheduler = scheduler_with(Shape::New, &[&["active"]]).await;
    let schema = scheduler.schema().await;
    for (limit, is_expected) in [(0, false), (1, true)] {
        scheduler.config.dags_progress_limit = limit;
        let queries: Vec<_> = COLLECTOR.queries_at(Pace::Backlog, &scheduler.config, &schema).collect();
        let is_listed = queries.iter().any(|query| query.sql.name == "dag_progress.sql");
        assert_eq!(is_listed, is_expected, "limit {limit}");
        let series = scheduler.series(&COLLECTOR).await;
        let is_published = series.keys().any(|(name, _)| name.starts_with("marie_dag_"));
        assert_eq!(is_published, is_expected, "limit {limit}: {series:?}");
    }
}
