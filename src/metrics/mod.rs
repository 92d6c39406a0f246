//! What a metric is: a [`Family`] is declared once, as data, in the file of the collector that fills it.
//!
//! Its help is HELP on `/metrics`, the row in docs/metrics.md and the landing page's text. [`Samples`] are
//! the values of one family at one instant; [`encode`] writes them in Prometheus's text format. A registry
//! of `GaugeVec`s would be shorter, but rust-prometheus merges different label sets whose values
//! concatenate to the same text, and queue names are chosen by clients.

mod text;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use self::text::encode;

/// One metric: every sample on `/metrics` belongs to exactly one.
#[derive(Debug)]
pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    /// Names of the labels, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// What it means, which rows it counts, and what it cannot see. One text without line breaks.
    pub help: &'static str,
    pub merge: Merge,
}

impl Family {
    /// Of samples that no two queries and no two queues share.
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

/// How samples with the same labels become one: those of the queues beyond the limit, published together
/// as `other`, and those of two queries that serve one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    Sum,
    Min,
    Max,
    /// A setting of a single queue: has no meaning for several of them.
    Drop,
}

impl Merge {
    fn fold(self, one: f64, other: f64) -> f64 {
        match self {
            Merge::Sum => one + other,
            Merge::Min => one.min(other),
            Merge::Max | Merge::Drop => one.max(other),
        }
    }
}

/// What a histogram has observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Upper bounds, ascending, in the family's unit; the one at infinity is understood.
    pub bounds: Vec<f64>,
    /// Observations up to each bound and above the one before, and last those above all.
    pub counts: Vec<u64>,
    pub sum: f64,
}

/// What a sample holds: a distribution if its family is a histogram, else a number.
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
    /// The number, or how many observations there are.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 observations")]
    pub fn number(&self) -> f64 {
        match self {
            Value::Number(number) => *number,
            Value::Distribution(distribution) => distribution.counts.iter().sum::<u64>() as f64,
        }
    }
}

/// The samples of one family, by label values in the order of [`Family::labels`].
#[derive(Debug, Clone)]
pub struct Samples {
    pub family: &'static Family,
    values: BTreeMap<Vec<String>, Value>,
}

/// Two rows of one query gave the same series: the query's grouping does not fit the family's labels.
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

    /// Adds a sample that no other may share its labels with.
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

    /// Takes over the samples of `more`, folding those whose labels it has already.
    pub fn absorb(&mut self, more: Samples) {
        for (labels, value) in more.values {
            self.fold(labels, value);
        }
    }

    /// The same samples under other label values; those for which `relabel` gives none are left out.
    #[must_use]
    pub fn relabelled(self, relabel: impl Fn(Vec<String>) -> Option<Vec<String>>) -> Samples {
        let mut relabelled = Samples::new(self.family);
        for (labels, value) in self.values {
            if let Some(labels) = relabel(labels) {
                relabelled.fold(labels, value);
            }
        }
        relabelled
    }

    /// At most `limit` values of `label` besides `rest`, those with the largest sums; the others become `rest`. A family
    /// without that label stays as it is.
    #[must_use]
    pub fn keep_largest(self, label: &str, limit: usize, rest: &str) -> Samples {
        let Some(place) = self.family.labels.iter().position(|name| *name == label) else { return self };
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for (labels, value) in self.values.iter().filter(|(labels, _)| labels[place] != rest) {
            *sums.entry(labels[place].clone()).or_default() += value.number();
        }
        if sums.len() <= limit {
            return self;
        }
        let mut ranked: Vec<(String, f64)> = sums.into_iter().collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
        let kept: BTreeSet<String> = ranked.into_iter().take(limit).map(|(value, _)| value).collect();
        self.relabelled(|mut labels| {
            if !kept.contains(&labels[place]) {
                rest.clone_into(&mut labels[place]);
            }
            Some(labels)
        })
    }

    /// Adds a sample that may share its labels with another one.
    pub(crate) fn fold(&mut self, labels: Vec<String>, value: Value) {
        let together = self.family.merge;
        match self.values.entry(labels) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(mut entry) => match (entry.get_mut(), value) {
                (Value::Number(sum), Value::Number(more)) => *sum = together.fold(*sum, more),
                // Histograms are counted in process, where each series is one from the start.
                (held, value) => *held = value,
            },
        }
    }

    /// How many series Prometheus makes of them.
    pub fn series(&self) -> usize {
        let series = |value: &Value| match value {
            Value::Number(_) => 1,
            // A bucket each, the sum and the count.
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
    fn label_values_with_equal_concatenation_stay_apart() {
        let mut samples = Samples::new(&FAMILY);
        samples.insert(labels("extract", "er"), 1.0).unwrap();
        samples.insert(labels("extracter", ""), 2.0).unwrap();
        assert_eq!(samples.series(), 2);
    }

    #[test]
    fn a_second_row_for_one_series_is_an_error() {
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
