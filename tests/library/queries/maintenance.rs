//! Our numbers on random tables equal the results of the maintenance page's SQL.
//!
//! The SQL is copied word for word, except the schema's name and lists of states that some shapes lack.

use std::collections::BTreeMap;

use marie_exporter::collect::collectors::{retries, statistics, storage, stuck, throughput};
use marie_exporter::demo::shape::Shape;
use sqlx::Row;

use crate::queries::random;
use crate::queries::scheduler::{Scheduler, Series};

const JOB_STATISTICS: &str = "select state::text as state, count(*) as count
    from job group by state order by count desc";

const STUCK_JOBS: &str =
    "select * from job where state = 'active' and started_on < now() - interval '1 hour'";

const RETRY_ANALYSIS: &str = "select name, avg(retry_count)::float8 as avg_retries,
        max(retry_count) as max_retries, count(*) as total_jobs
    from job where retry_count > 0 group by name order by avg_retries desc";

const THROUGHPUT: &str = "select date_trunc('hour', completed_on) as hour, count(*) as completed_jobs
    from job where state = 'completed' and completed_on > now() - interval '24 hours'
    group by date_trunc('hour', completed_on) order by hour";

const PURGE_COMPLETED: &str =
    "delete from job where state = 'completed' and completed_on < now() - interval '7 days' returning id";

const PURGE_FAILED: &str =
    "delete from job where state = 'failed' and completed_on < now() - interval '30 days' returning id";

/// Returns the sum over all series of a family, or over those with this last label.
fn sum(series: &Series, family: &str, label: Option<&str>) -> f64 {
    let matches = |name: &str, labels: &[String]| {
        name == family && label.is_none_or(|label| labels.last().is_some_and(|last| last == label))
    };
    series.iter().filter(|((name, labels), _)| matches(name, labels)).fold(0.0, |sum, (_, value)| sum + value)
}

fn assert_equal(ours: f64, pages: f64, what: &str) {
    assert!((ours - pages).abs() < 1e-9, "{what}: {ours}, on the page {pages}");
}

#[expect(clippy::cast_precision_loss, reason = "hundreds of rows")]
fn count(rows: usize) -> f64 {
    rows as f64
}

async fn compare_with_page(scheduler: &mut Scheduler, place: &str) {
    let jobs = scheduler.series(&statistics::COLLECTOR).await;
    let by_state: BTreeMap<String, i64> = scheduler
        .fetch(JOB_STATISTICS)
        .await
        .iter()
        .map(|row| (row.get("state"), row.get("count")))
        .collect();
    for (state, count) in &by_state {
        let ours = sum(&jobs, "marie_jobs", Some(state));
        assert_eq!(format!("{ours}"), count.to_string(), "{state} {place}");
    }
    assert_equal(sum(&jobs, "marie_jobs", None), count(scheduler.jobs().await.len()), place);

    let stuck = scheduler.series(&stuck::COLLECTOR).await;
    let pages: i64 = scheduler.fetch(&format!("select count(*) from ({STUCK_JOBS}) as page")).await[0].get(0);
    assert_eq!(sum(&stuck, "marie_jobs_stuck", None).to_string(), pages.to_string(), "{place}");

    let retried = scheduler.series(&retries::COLLECTOR).await;
    let analysis = scheduler.fetch(RETRY_ANALYSIS).await;
    for row in &analysis {
        let ours = |family| retried[&(family, vec![row.get("name")])];
        let average = ours("marie_jobs_retry_attempts") / ours("marie_jobs_retried");
        assert_equal(average, row.get("avg_retries"), place);
        assert_equal(ours("marie_jobs_retry_attempts_max"), row.get::<i32, _>("max_retries").into(), place);
        assert_eq!(ours("marie_jobs_retried").to_string(), row.get::<i64, _>("total_jobs").to_string());
    }
    let with_retries =
        retried.iter().filter(|((name, _), value)| *name == "marie_jobs_retried" && **value > 0.0);
    assert_eq!(with_retries.count(), analysis.len(), "{place}");

    let completed = scheduler.series(&throughput::COLLECTOR).await;
    let hours = scheduler.fetch(THROUGHPUT).await;
    let day: i64 = hours.iter().map(|row| row.get::<i64, _>("completed_jobs")).sum();
    assert_eq!(
        sum(&completed, "marie_jobs_completed_last_day", None).to_string(),
        day.to_string(),
        "{place}"
    );

    let due = scheduler.series(&storage::COLLECTOR).await;
    for (rule, purge) in [("completed_7d", PURGE_COMPLETED), ("failed_30d", PURGE_FAILED)] {
        let purged = scheduler.fetch(purge).await;
        assert_equal(sum(&due, "marie_jobs_cleanup_due", Some(rule)), count(purged.len()), place);
    }
}

#[tokio::test]
async fn sums_over_series_equal_the_maintenance_page() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape).await;
        random::create_queues(&mut scheduler).await;
        for seed in 100..106 {
            scheduler.savepoint().await;
            random::fill(&mut scheduler, seed).await;
            compare_with_page(&mut scheduler, &format!("on {}, seed {seed}", shape.name())).await;
            scheduler.roll_back().await;
        }
    }
}
