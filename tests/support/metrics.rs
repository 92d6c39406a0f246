//! What an exposition says, as an independent parser reads it.

use prometheus_parse::{Sample, Scrape, Value};

pub(crate) struct Metrics {
    samples: Vec<Sample>,
}

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        Metrics { samples: Scrape::parse(lines).expect("the exposition can be parsed").samples }
    }

    /// The values of all samples of that name that have these labels, among others.
    pub(crate) fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let fits = |sample: &&Sample| {
            sample.metric == name
                && labels.iter().all(|(label, value)| sample.labels.get(label) == Some(*value))
        };
        let value = |sample: &Sample| match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => value,
            Value::Histogram(_) | Value::Summary(_) => f64::NAN,
        };
        self.samples.iter().filter(fits).map(value).collect()
    }

    /// The value of the one sample that has these labels; none where it is absent.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values = self.values(name, labels);
        assert!(values.len() < 2, "{name}{labels:?} is {} samples", values.len());
        values.first().copied()
    }

    /// A counter of the collector's runs: those that have not happened are none.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.values(name, labels).iter().sum()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|sample| sample.metric == name)
    }
}
