//! Parents from the column `job.dependencies`, which clients write, in databases without the table `job_dependencies`.

use marie_exporter::collect::collectors::{dags, statistics};
use marie_exporter::demo::shape::Shape;
use sqlx::types::Uuid;

use crate::queries::rows::{Dag, Job};
use crate::queries::scheduler::{Scheduler, Series};

/// Entries that are not job ids: words, other JSON, malformed ids.
const NO_IDS: &str = r#"["extract", "", null, 7, {"id": 1}, ["a"], "00000000-0000-0000-0000-00000000000",
    "00000000-0000-0000-0000-00000000000ab1", " 00000000-0000-0000-0000-0000000000ab",
    "0-0000000-0000-0000-0000-0000000000ab", "g0000000-0000-0000-0000-0000000000ab"]"#;

/// Creates the active job 0xab and the waiting job 0x1 with this list of parents.
async fn scheduler_with(shape: Shape, parents: &str) -> Scheduler {
    let mut scheduler = Scheduler::new(shape).await;
    scheduler.execute("drop table if exists job_dependencies cascade").await;
    scheduler.execute("alter table job disable trigger all").await;
    scheduler.create_queue("extract", "{}").await;
    let (dag, other) = (Dag::new(1000, "active", "ocr"), Dag::new(1001, "active", "ocr"));
    let waiting = Job::new(0x1, "extract", &dag, "created");
    let running = Job::new(0xab, "extract", &other, "active");
    scheduler.insert(&[dag, other], &[waiting, running]).await;
    let waiting = Uuid::from_u128(0x1);
    scheduler
        .execute(&format!("update job set dependencies = $json${parents}$json$ where id = '{waiting}'"))
        .await;
    scheduler
}

fn value(series: &Series, family: &'static str, labels: &[&str]) -> f64 {
    series[&(family, labels.iter().map(ToString::to_string).collect())]
}

#[tokio::test]
async fn dependency_that_is_not_an_id_is_ignored() {
    for shape in Shape::ALL {
        let mut scheduler = scheduler_with(shape, NO_IDS).await;
        let statistics = scheduler.series(&statistics::COLLECTOR).await;
        let ready = value(&statistics, "marie_jobs_ready", &["extract"]);
        assert_eq!(ready.to_string(), "1", "on {}", shape.name());
        if shape != Shape::Page {
            let dags = scheduler.series(&dags::COLLECTOR).await;
            let stalled = value(&dags, "marie_dags_stalled", &["no_runnable_job"]);
            assert_eq!(stalled.to_string(), "0", "on {}", shape.name());
        }
    }
}

#[tokio::test]
async fn dependency_id_counts_in_any_spelling() {
    let id = "00000000-0000-0000-0000-0000000000ab";
    for id in [id.to_owned(), id.to_uppercase(), id.replace('-', "")] {
        for shape in Shape::ALL {
            let parents = format!(r#"["extract", "{id}"]"#);
            let mut scheduler = scheduler_with(shape, &parents).await;
            let statistics = scheduler.series(&statistics::COLLECTOR).await;
            let blocked = value(&statistics, "marie_jobs_blocked", &["extract", "dependency"]);
            assert_eq!(blocked.to_string(), "1", "{id} on {}", shape.name());
            if shape != Shape::Page {
                let dags = scheduler.series(&dags::COLLECTOR).await;
                let stalled = value(&dags, "marie_dags_stalled", &["no_runnable_job"]);
                assert_eq!(stalled.to_string(), "1", "{id} on {}", shape.name());
            }
        }
    }
}
