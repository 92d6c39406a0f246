//! Metrics: families, their samples, and Prometheus's text format.
//!
//! A [`Family`] is declared once, as data, in the file of the collector that fills it. Its help is HELP on `/metrics`, the
//! row in docs/metrics.md and the text of the status page. [`Samples`] are the values of one family at one instant.
//! [`encode`] writes them in the text format.
//!
//! A registry of `GaugeVec`s is no alternative for the collectors: rust-prometheus merges label sets whose values
//! concatenate to the same text, and clients choose queue names.

mod text;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use self::text::encode;

/// Declaration of a metric. Every sample on `/metrics` belongs to exactly one family.
#[derive(Debug)]
pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    /// Names of the labels, in the order of the text format.
    pub labels: &'static [&'static str],
    /// What the metric means, which rows it counts, and what it cannot see. Without line breaks.
    pub help: &'static str,
    pub merge: Merge,
}

impl Family {
    /// Declares a family whose samples are never merged.
    pub const fn new(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Family { name, kind, labels, help, merge: Merge::Drop }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Gauge,
    Counter,
    Histogram,
}

/// How samples with the same labels are merged: those of queues beyond the limit, published together as `other`, and those
/// of two queries that fill one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    Sum,
    Min,
    Max,
    /// Not at all, because the value is a setting of a single queue. Queues beyond the limit have no sample.
    Drop,
}

impl Merge {
    fn apply(self, one: f64, other: f64) -> f64 {
        match self {
            Merge::Sum => one + other,
            Merge::Min => one.min(other),
            Merge::Max | Merge::Drop => one.max(other),
        }
    }
}

/// Observations of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Upper bounds of the buckets, ascending, in the unit of the family, without the last one, `+Inf`.
    pub bounds: Vec<f64>,
    /// Observations in each bucket, not cumulative. One element more than `bounds`.
    pub counts: Vec<u64>,
    pub sum: f64,
}

/// Value of a sample: a distribution if the family is a histogram, otherwise a number.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Distribution(Distribution),
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl Value {
    /// Returns the number, or the number of observations.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 observations")]
    pub fn number(&self) -> f64 {
        match self {
            Value::Number(number) => *number,
            Value::Distribution(distribution) => distribution.counts.iter().sum::<u64>() as f64,
        }
    }
}

/// Samples of one family, by label values in the order of [`Family::labels`].
#[derive(Debug, Clone)]
pub struct Samples {
    pub family: &'static Family,
    values: BTreeMap<Vec<String>, Value>,
}

/// Two rows of one query have the same labels, because its grouping does not fit the labels of the family.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("two rows for {family}{{{labels}}}: the query must return each label set once")]
pub struct DuplicateSample {
    family: &'static str,
    labels: String,
}

impl Samples {
    pub fn new(family: &'static Family) -> Self {
        Samples { family, values: BTreeMap::new() }
    }

    /// Adds a sample with labels that no other sample has.
    pub fn insert(&mut self, labels: Vec<String>, value: impl Into<Value>) -> Result<(), DuplicateSample> {
        match self.values.entry(labels) {
            Entry::Vacant(entry) => {
                entry.insert(value.into());
                Ok(())
            }
            Entry::Occupied(entry) => {
                Err(DuplicateSample { family: self.family.name, labels: entry.key().join(", ") })
            }
        }
    }

    /// Adds the samples of `more`. Samples with the same labels are merged.
    pub fn absorb(&mut self, more: Samples) {
        for (labels, value) in more.values {
            self.merge(labels, value);
        }
    }

    /// Returns the samples under other label values. Samples for which `relabel` returns `None` are dropped.
    #[must_use]
    pub fn relabelled(self, relabel: impl Fn(Vec<String>) -> Option<Vec<String>>) -> Samples {
        let mut relabelled = Samples::new(self.family);
        for (labels, value) in self.values {
            if let Some(labels) = relabel(labels) {
                relabelled.merge(labels, value);
            }
        }
        relabelled
    }

    /// Keeps the `limit` values of `label` with the largest sums, and replaces the others by `rest`. A family without the
    /// label stays as it is.
    #[must_use]
    pub fn keep_largest(self, label: &str, limit: usize, rest: &str) -> Samples {
        let Some(position) = self.family.labels.iter().position(|name| *name == label) else { return self };
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for (labels, value) in self.values.iter().filter(|(labels, _)| labels[position] != rest) {
            *sums.entry(labels[position].clone()).or_default() += value.number();
        }
        if sums.len() <= limit {
            return self;
        }
        let mut ranked: Vec<(String, f64)> = sums.into_iter().collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        let kept: BTreeSet<String> = ranked.into_iter().take(limit).map(|(value, _)| value).collect();
        self.relabelled(|mut labels| {
            if !kept.contains(&labels[position]) {
                rest.clone_into(&mut labels[position]);
            }
            Some(labels)
        })
    }

    /// Adds a sample, merged with the one of the same labels if there is one.
    pub(crate) fn merge(&mut self, labels: Vec<String>, value: Value) {
        let merge = self.family.merge;
        match self.values.entry(labels) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(mut entry) => match (entry.get_mut(), value) {
                (Value::Number(one), Value::Number(other)) => *one = merge.apply(*one, other),
                // Never the case, because histograms are counted in process under their final labels.
                (stored, value) => *stored = value,
            },
        }
    }

    /// Returns how many series Prometheus stores for these samples.
    pub fn series(&self) -> usize {
        let series = |value: &Value| match value {
            Value::Number(_) => 1,
            // The buckets, the sum and the count.
            Value::Distribution(distribution) => distribution.counts.len() + 2,
        };
        self.values.values().map(series).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[String], &Value)> {
        self.values.iter().map(|(labels, value)| (labels.as_slice(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static FAMILY: Family = Family {
        name: "marie_test",
        kind: Kind::Gauge,
        labels: &["queue", "state"],
        help: "Jobs.",
        merge: Merge::Sum,
    };

    fn labels(queue: &str, state: &str) -> Vec<String> {
        vec![queue.to_owned(), state.to_owned()]
    }

    #[test]
    fn label_values_with_equal_concatenation_stay_distinct() {
        let mut samples = Samples::new(&FAMILY);
        samples.insert(labels("extract", "er"), 1.0).unwrap();
        samples.insert(labels("extracter", ""), 2.0).unwrap();
        assert_eq!(samples.series(), 2);
    }

    #[test]
    fn second_row_for_one_series_is_an_error() {
        let mut samples = Samples::new(&FAMILY);
        samples.insert(labels("extract", "created"), 1.0).unwrap();
        let error = samples.insert(labels("extract", "created"), 1.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "two rows for marie_test{extract, created}: the query must return each label set once"
        );
    }

    #[test]
    fn relabelling_sums_equal_labels_and_drops_missing_ones() {
        let mut samples = Samples::new(&FAMILY);
        for (queue, value) in [("a", 1.0), ("b", 2.0), ("c", 4.0)] {
            samples.insert(labels(queue, "created"), value).unwrap();
        }
        let folded = samples.relabelled(|mut labels| {
            if labels[0] == "c" {
                return None;
            }
            labels[0] = "other".to_owned();
            Some(labels)
        });
        let values: Vec<f64> = folded.iter().map(|(_, value)| value.number()).collect();
        assert_eq!(values, [3.0]);
    }
}
