//! The rule that maps rows to samples: a column named like a family holds its value, a column named like a label holds
//! that label, NULL means no sample.

use sqlx::postgres::PgRow;
use sqlx::{Column, Row};

use super::Query;
use crate::collect::queue_labels::{self, OTHER, QueueLabels};
use crate::metrics::{DuplicateSample, Family, Merge, Samples};

/// A row that does not fit the families that its columns name.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    #[error("{0}")]
    Decode(#[from] sqlx::Error),
    #[error("a value of {family} has no {label}")]
    NoLabel { family: &'static str, label: &'static str },
    #[error("{0}")]
    Duplicate(#[from] DuplicateSample),
}

/// Maps rows to samples. The result has an element for each family, in their order; families without a column are empty.
pub(super) fn map_rows(
    query: &Query,
    families: &[&'static Family],
    rows: &[PgRow],
) -> Result<Vec<Samples>, RowError> {
    let mut samples: Vec<Samples> = families.iter().map(|family| Samples::new(family)).collect();
    let Some(first) = rows.first() else { return Ok(samples) };
    // The rows of a pass have the columns of several queries.
    let is_filled = |family: &Family| {
        query.pass.is_none() || query.by_queue.iter().any(|filled| filled.name == family.name)
    };
    let served: Vec<usize> = (0..families.len())
        .filter(|&index| first.columns().iter().any(|column| column.name() == families[index].name))
        .filter(|&index| is_filled(families[index]))
        .collect();
    for row in rows {
        for &index in &served {
            let family = families[index];
            let Some(value) = row.try_get::<Option<f64>, _>(family.name)? else { continue };
            let label = |label: &&'static str| {
                let text = row.try_get::<Option<String>, _>(label)?;
                let can_be_other = !query.by_queue.is_empty() && *label == queue_labels::LABEL;
                match text {
                    None if can_be_other => Ok(OTHER.to_owned()),
                    None => Err(RowError::NoLabel { family: family.name, label }),
                    Some(text) => Ok(text),
                }
            };
            let labels = family.labels.iter().map(label).collect::<Result<Vec<_>, _>>()?;
            if labels.first().is_some_and(|first| first == OTHER) {
                // A queue can have this name too, so its row has the same labels.
                samples[index].merge(labels, value.into());
                continue;
            }
            samples[index].insert(labels, value)?;
        }
    }
    Ok(samples)
}

/// Returns the samples under the labels of their queues. Excluded queues are dropped, queues beyond the limit are merged.
pub(super) fn relabel_queues(samples: Samples, queues: &mut QueueLabels) -> Samples {
    let family = samples.family;
    let Some(position) = family.labels.iter().position(|label| *label == queue_labels::LABEL) else {
        return samples;
    };
    for (labels, _) in samples.iter() {
        queues.assign(&labels[position]);
    }
    samples.relabelled(|mut labels| {
        let label = queues.label(&labels[position])?;
        if label != labels[position] && family.merge == Merge::Drop {
            return None;
        }
        labels[position] = label;
        Some(labels)
    })
}
