//! Encodes samples in Prometheus's text format, with the encoder of rust-prometheus.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

use super::{Distribution, Kind, Samples, Value};

/// Encodes samples in Prometheus's text format, version 0.0.4, without families that have no sample.
///
/// `origin` is appended to each HELP and names the collector that refreshes the family.
///
/// # Errors
/// If the encoder rejects a family. Tests check all declarations.
pub fn encode(samples: &[Samples], origin: &str) -> prometheus::Result<Vec<u8>> {
    let families: Vec<MetricFamily> = samples
        .iter()
        .filter(|samples| !samples.is_empty())
        .map(|samples| metric_family(samples, origin))
        .collect();
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(text)
}

fn metric_family(samples: &Samples, origin: &str) -> MetricFamily {
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
    let mut encoded = MetricFamily::default();
    encoded.set_name(family.name.to_owned());
    encoded.set_help(format!("{} {origin}", family.help));
    encoded.set_field_type(match family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Histogram => MetricType::HISTOGRAM,
        Kind::Gauge => MetricType::GAUGE,
    });
    encoded.set_metric(metrics);
    encoded
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
    use crate::metrics::{Family, Merge};

    static FAMILY: Family = Family::new("marie_test", Kind::Gauge, &["queue", "state"], "Jobs.");

    #[test]
    fn special_characters_in_queue_name_are_escaped() {
        let mut samples = Samples::new(&FAMILY);
        samples.insert(vec!["a\"b\\c\nd".to_owned(), "created".to_owned()], 3.0).unwrap();
        let text = String::from_utf8(encode(&[samples], "From here.").unwrap()).unwrap();
        assert_eq!(
            text,
            "# HELP marie_test Jobs. From here.\n# TYPE marie_test gauge\n\
             marie_test{queue=\"a\\\"b\\\\c\\nd\",state=\"created\"} 3\n"
        );
    }

    #[test]
    fn family_without_samples_is_not_encoded() {
        assert!(encode(&[Samples::new(&FAMILY)], "").unwrap().is_empty());
    }

    #[test]
    fn histogram_has_cumulative_buckets_sum_and_count() {
        static HISTOGRAM: Family = Family {
            name: "marie_test_seconds",
            kind: Kind::Histogram,
            labels: &["queue"],
            help: "Waits.",
            merge: Merge::Sum,
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
