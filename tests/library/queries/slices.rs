//! A pass in tiny slices returns the same samples as one statement.

use std::collections::BTreeMap;

use marie_exporter::collect::pace::PassKind;
use marie_exporter::collect::slice::SliceSize;
use marie_exporter::demo::shape::Shape;

use crate::queries::random;
use crate::queries::scheduler::{Scheduler, Seen};

const SCENES: u64 = 12;

/// One DAG a slice.
const TINY: SliceSize = SliceSize::new(1, 1, 1);

type Values = BTreeMap<(&'static str, Vec<String>), String>;

/// Returns everything that a pass feeds, and the number of its slices.
async fn values(scheduler: &mut Scheduler, slice: SliceSize, seen: &Seen) -> (Values, usize) {
    let (fed, slices) = scheduler.try_pass(PassKind::Backlog, slice, seen).await.unwrap();
    let samples = fed.into_iter().flat_map(|(_, samples)| samples.samples);
    let mut values = Values::new();
    for samples in samples {
        for (labels, value) in samples.iter() {
            values.insert((samples.family.name, labels.to_vec()), value.number().to_string());
        }
    }
    (values, slices)
}

async fn assert_slices_equal_one_statement(shape: Shape) {
    let mut scheduler = Scheduler::new(shape).await;
    random::create_queues(&mut scheduler).await;
    let mut most = 0;
    for seed in 100..100 + SCENES {
        scheduler.savepoint().await;
        random::fill(&mut scheduler, seed).await;
        for limit in [200, 2] {
            scheduler.config.queues.limit = limit;
            let seen = scheduler.look().await;
            let first = PassKind::Backlog.first_slice();
            let (whole, count) = values(&mut scheduler, first, &seen).await;
            assert_eq!(count, 1);
            let (sliced, count) = values(&mut scheduler, TINY, &seen).await;
            assert_eq!(sliced, whole, "seed {seed} on {}, limit {limit}, {count} slices", shape.name());
            most = most.max(count);
        }
        scheduler.roll_back().await;
    }
    assert!(most > 10, "at most {most} slices");
}

#[tokio::test]
async fn old_shape_slices_equal_one_statement() {
    assert_slices_equal_one_statement(Shape::Old).await;
}

#[tokio::test]
async fn mid_shape_slices_equal_one_statement() {
    assert_slices_equal_one_statement(Shape::Mid).await;
}

#[tokio::test]
async fn new_shape_slices_equal_one_statement() {
    assert_slices_equal_one_statement(Shape::New).await;
}

#[tokio::test]
async fn page_shape_slices_equal_one_statement() {
    assert_slices_equal_one_statement(Shape::Page).await;
}
