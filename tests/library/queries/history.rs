//! The pass over finished jobs: in slices it counts what one statement counts.

use std::collections::BTreeMap;

use marie_exporter::collect::collector::QuerySamples;
use marie_exporter::collect::pace::PassKind;
use marie_exporter::collect::slice::SliceSize;
use marie_exporter::demo::shape::Shape;

use crate::queries::random;
use crate::queries::scheduler::{Scheduler, Seen, Series};

/// One page, or a few ids.
const SMALLEST: SliceSize = SliceSize::new(1, 1, 1);

async fn series(scheduler: &mut Scheduler, size: SliceSize, seen: &Seen) -> Series {
    let fed = scheduler.whole_pass(PassKind::History, size, seen).await.unwrap();
    let mut series = BTreeMap::new();
    for (_, QuerySamples { samples, .. }) in fed {
        for samples in samples {
            let values = samples.iter().map(|(labels, value)| (labels.to_vec(), value.number()));
            series.extend(values.map(|(labels, value)| ((samples.family.name, labels), value)));
        }
    }
    series
}

/// `agreement` compares the pass in its usual size with the metric contract.
#[tokio::test]
async fn smallest_slices_equal_the_usual_ones() {
    for shape in Shape::ALL {
        let mut scheduler = Scheduler::new(shape).await;
        random::create_queues(&mut scheduler).await;
        for seed in 100..110 {
            scheduler.savepoint().await;
            random::fill(&mut scheduler, seed).await;
            for limit in [200, 2] {
                scheduler.config.queues.limit = limit;
                let seen = scheduler.look().await;
                let whole = series(&mut scheduler, PassKind::History.first_slice(), &seen).await;
                let sliced = series(&mut scheduler, SMALLEST, &seen).await;
                assert_eq!(sliced, whole, "{}, seed {seed}", shape.name());
                assert!(whole.len() > 10, "{whole:?}");
            }
            scheduler.roll_back().await;
        }
    }
}
