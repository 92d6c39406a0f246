//! What a metric is: a [`Family`] is declared once, as data, in the file of the collector that fills it.
//!
//! Its help is HELP on `/metrics`, the row in README's table and the landing page's text. [`Samples`] are
//! the values of one family at one instant; [`encode`] writes them in Prometheus's text format. A registry
//! of `GaugeVec`s would be shorter, but rust-prometheus merges different label sets whose values
//! concatenate to the same text, and queue names are chosen by clients.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use serde::Serialize;

/// One metric: every sample on `/metrics` belongs to exactly one.
#[derive(Debug)]
pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    /// Names of the labels, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// What it means, which rows it counts, and what it cannot see. One text without line breaks.
    pub help: &'static str,
    pub together: Together,
}

impl Family {
    /// Of samples that no two queries and no two queues share.
    pub const fn new(
        name: &'static str,
        kind: Kind,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Family { name, kind, labels, help, together: Together::Never }
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
pub enum Together {
    Sum,
    Oldest,
    Newest,
    /// A setting of a single queue: has no meaning for several of them.
    Never,
}

impl Together {
    fn fold(self, one: f64, other: f64) -> f64 {
        match self {
            Together::Sum => one + other,
            Together::Oldest => one.min(other),
            Together::Newest | Together::Never => one.max(other),
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

    /// At most `limit` values of `label`, those with the largest sums; the others become `rest`. A family
    /// without that label stays as it is.
    #[must_use]
    pub fn busiest(self, label: &str, limit: usize, rest: &str) -> Samples {
        let Some(place) = self.family.labels.iter().position(|name| *name == label) else { return self };
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for (labels, value) in &self.values {
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

    fn fold(&mut self, labels: Vec<String>, value: Value) {
        let together = self.family.together;
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

/// Writes families in Prometheus's text format, version 0.0.4. Families without samples are left out: a
/// HELP line without a sample would promise a series that is not there.
///
/// `origin` ends each HELP, so that a reader knows which collector refreshes it.
///
/// # Errors
/// When the encoder refuses a family; the catalogue's tests keep that from happening.
pub fn encode(samples: &[Samples], origin: &str) -> prometheus::Result<Vec<u8>> {
    let families: Vec<MetricFamily> = samples
        .iter()
        .filter(|samples| !samples.is_empty())
        .map(|samples| prototype(samples, origin))
        .collect();
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(text)
}

fn prototype(samples: &Samples, origin: &str) -> MetricFamily {
    let family = samples.family;
    let metrics = samples
        .iter()
        .map(|(values, value)| {
            let pairs = family.labels.iter().zip(values).map(|(name, value)| {
                let mut pair = LabelPair::default();
                pair.set_name((*name).to_owned());
                pair.set_value(value.clone());
                pair
            });
            let mut metric = Metric::from_label(pairs.collect());
            match value {
                Value::Distribution(distribution) => metric.set_histogram(histogram(distribution)),
                Value::Number(value) if family.kind == Kind::Counter => {
                    let mut counter = Counter::default();
                    counter.set_value(*value);
                    metric.set_counter(counter);
                }
                Value::Number(value) => {
                    let mut gauge = Gauge::default();
                    gauge.set_value(*value);
                    metric.set_gauge(gauge);
                }
            }
            metric
        })
        .collect();
    let mut prototype = MetricFamily::default();
    prototype.set_name(family.name.to_owned());
    prototype.set_help(format!("{} {origin}", family.help));
    prototype.set_field_type(match family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Histogram => MetricType::HISTOGRAM,
        Kind::Gauge => MetricType::GAUGE,
    });
    prototype.set_metric(metrics);
    prototype
}

fn histogram(distribution: &Distribution) -> Histogram {
    let mut histogram = Histogram::default();
    let mut cumulative = 0;
    let mut buckets = Vec::new();
    for (bound, count) in distribution.bounds.iter().zip(&distribution.counts) {
        cumulative += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(cumulative);
        buckets.push(bucket);
    }
    histogram.set_bucket(buckets);
    histogram.set_sample_count(distribution.counts.iter().sum());
    histogram.set_sample_sum(distribution.sum);
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    static FAMILY: Family = Family {
        name: "marie_test",
        kind: Kind::Gauge,
        labels: &["queue", "state"],
        help: "Jobs.",
        together: Together::Sum,
    };

    fn labels(queue: &str, state: &str) -> Vec<String> {
        vec![queue.to_owned(), state.to_owned()]
    }

    #[test]
    fn label_values_that_concatenate_to_the_same_text_stay_two_series() {
        let mut samples = Samples::new(&FAMILY);
        samples.insert(labels("extract", "er"), 1.0).unwrap();
        samples.insert(labels("extracter", ""), 2.0).unwrap();
        assert_eq!(samples.series(), 2);
    }

    #[test]
    fn quotes_backslashes_and_line_breaks_in_a_queue_name_are_escaped() {
        let mut samples = Samples::new(&FAMILY);
        samples.insert(labels("a\"b\\c\nd", "created"), 3.0).unwrap();
        let text = String::from_utf8(encode(&[samples], "From here.").unwrap()).unwrap();
        assert_eq!(
            text,
            "# HELP marie_test Jobs. From here.\n# TYPE marie_test gauge\n\
             marie_test{queue=\"a\\\"b\\\\c\\nd\",state=\"created\"} 3\n"
        );
    }

    #[test]
    fn a_family_without_samples_is_not_mentioned() {
        assert!(encode(&[Samples::new(&FAMILY)], "").unwrap().is_empty());
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
    fn relabelling_sums_what_falls_together_and_drops_what_has_no_label() {
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

    #[test]
    fn a_histogram_is_written_with_cumulative_buckets_sum_and_count() {
        static HISTOGRAM: Family = Family {
            name: "marie_test_seconds",
            kind: Kind::Histogram,
            labels: &["queue"],
            help: "Waits.",
            together: Together::Sum,
        };
        let mut samples = Samples::new(&HISTOGRAM);
        let distribution = Distribution { bounds: vec![0.1, 5.0], counts: vec![2, 0, 1], sum: 7.25 };
        samples.insert(vec!["a".to_owned()], Value::Distribution(distribution)).unwrap();
        assert_eq!(samples.series(), 5);
        let text = String::from_utf8(encode(&[samples], "").unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "marie_test_seconds_bucket{queue=\"a\",le=\"0.1\"} 2",
                "marie_test_seconds_bucket{queue=\"a\",le=\"5\"} 2",
                "marie_test_seconds_bucket{queue=\"a\",le=\"+Inf\"} 3",
                "marie_test_seconds_sum{queue=\"a\"} 7.25",
                "marie_test_seconds_count{queue=\"a\"} 3",
            ]
        );
    }
}
