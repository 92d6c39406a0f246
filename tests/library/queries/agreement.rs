//! On random tables every number equals the metric contract computed in Rust (`contract`).

use std::collections::BTreeMap;
use std::time::Duration;

use marie_exporter::collect::collector::Collector;
use marie_exporter::collect::collectors;
use marie_exporter::demo::shape::Shape;

use crate::queries::contract::World;
use crate::queries::random;
use crate::queries::scheduler::{Scheduler, Seen, Series};

const SCENES: u64 = 30;

/// Creates the queues; `classify` has its own stuck threshold, and the progress of DAGs is published.
async fn scheduler(shape: Shape) -> Scheduler {
    let mut scheduler = Scheduler::new(shape).await;
    scheduler.config.stuck_after_by_queue.insert("classify".to_owned(), Duration::from_mins(20));
    scheduler.config.dags_progress_limit = 3;
    random::create_queues(&mut scheduler).await;
    scheduler
}

fn first_differences(found: &Series, expected: &Series) -> Vec<String> {
    let differs = |key: &&(&'static str, Vec<String>)| found.get(*key) != expected.get(*key);
    let keys: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    keys.into_iter()
        .filter(|key| differs(key))
        .map(|key| format!("{key:?}: found {:?}, expected {:?}", found.get(key), expected.get(key)))
        .take(10)
        .collect()
}

async fn compare(
    scheduler: &mut Scheduler,
    looked: &Seen,
    collector: &Collector,
    expected: Series,
    seed: u64,
) -> Series {
    let mut found = scheduler.series_of(collector, looked).await;
    // Sizes and rows follow from the files, not from the rows of this transaction.
    found.retain(|(family, _), _| !family.starts_with("marie_table_"));
    let differences = first_differences(&found, &expected);
    assert!(
        differences.is_empty(),
        "{} on {}, seed {seed}:\n{}",
        collector.name,
        scheduler.shape.name(),
        differences.join("\n")
    );
    found
}

fn sum(series: &Series, family: &str, queue: &str) -> f64 {
    let of_queue = series.iter().filter(|((name, labels), _)| *name == family && labels[0] == queue);
    of_queue.map(|(_, value)| value).sum()
}

/// Asserts that the ready, deferred and blocked jobs add up to the waiting jobs.
fn assert_classes_add_up(series: &Series, world: &World) {
    for queue in world.queues() {
        let jobs = |state: &str| series[&("marie_jobs", vec![queue.to_owned(), state.to_owned()])];
        let classes = ["marie_jobs_ready", "marie_jobs_deferred", "marie_jobs_blocked"];
        let total: f64 = classes.iter().map(|family| sum(series, family, queue)).sum();
        assert!((total - jobs("created") - jobs("retry")).abs() < f64::EPSILON, "{queue}");
    }
}

/// Compares the numbers of random tables on one shape; rolls each filling back before the next.
async fn assert_agreement(shape: Shape) {
    let mut scheduler = scheduler(shape).await;
    let mut seen: BTreeMap<(&'static str, String), f64> = BTreeMap::new();
    for seed in 0..SCENES {
        scheduler.savepoint().await;
        let world = random::fill(&mut scheduler, seed).await;
        let looked = scheduler.look().await;
        let mut series = Series::new();
        for (collector, expected) in [
            (&collectors::statistics::COLLECTOR, world.statistics()),
            (&collectors::stuck::COLLECTOR, world.stuck()),
            (&collectors::throughput::COLLECTOR, world.throughput()),
            (&collectors::retries::COLLECTOR, world.retries()),
            (&collectors::sla::COLLECTOR, world.sla()),
            (&collectors::dags::COLLECTOR, world.dags()),
            (&collectors::storage::COLLECTOR, world.cleanup_due()),
            (&collectors::scheduler::COLLECTOR, world.activity()),
        ] {
            series.extend(compare(&mut scheduler, &looked, collector, expected, seed).await);
        }
        assert_classes_add_up(&series, &world);
        for ((family, labels), value) in series {
            *seen.entry((family, labels.last().cloned().unwrap_or_default())).or_default() += value;
        }
        scheduler.roll_back().await;
    }
    // The comparison proves nothing about a reason that does not occur.
    for reason in ["dependency", "parent_failed"] {
        assert!(seen[&("marie_jobs_blocked", reason.to_owned())] > 20.0, "{seen:?}");
    }
    if shape != Shape::Page {
        assert!(seen[&("marie_jobs_blocked", "dag_finished".to_owned())] > 20.0, "{seen:?}");
        for reason in ["no_jobs", "failed_job", "no_runnable_job"] {
            assert!(seen[&("marie_dags_stalled", reason.to_owned())] > 10.0, "{seen:?}");
        }
    }
}

#[tokio::test]
async fn old_shape_numbers_equal_the_contract() {
    assert_agreement(Shape::Old).await;
}

#[tokio::test]
async fn mid_shape_numbers_equal_the_contract() {
    assert_agreement(Shape::Mid).await;
}

#[tokio::test]
async fn new_shape_numbers_equal_the_contract() {
    assert_agreement(Shape::New).await;
}

#[tokio::test]
async fn page_shape_numbers_equal_the_contract() {
    assert_agreement(Shape::Page).await;
}
