//! Samples of an exposition, read by an independent parser.

use prometheus_parse::{Sample, Scrape, Value};

pub(crate) struct Metrics {
    samples: Vec<Sample>,
}

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        Metrics { samples: Scrape::parse(lines).expect("the exposition can be parsed").samples }
    }

    /// Returns the values of all samples with that name and at least these labels.
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

    /// Returns the value of the only sample with these labels; `None` if it is absent.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values = self.values(name, labels);
        assert!(values.len() < 2, "{name}{labels:?} is {} samples", values.len());
        values.first().copied()
    }

    /// Returns the sum of the values of all samples with these labels; 0 if there are none.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.values(name, labels).iter().sum()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|sample| sample.metric == name)
    }
}
