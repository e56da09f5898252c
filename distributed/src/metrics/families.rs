//! Metrics as they are told: families of numbers that differ in their labels.

use std::collections::BTreeMap;

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

/// Names and values that tell the numbers of a family apart.
type Labels<'a> = &'a [(&'a str, &'a str)];

/// Metrics that were read, by name.
#[derive(Debug, Default)]
pub struct Families {
    by_name: BTreeMap<&'static str, Family>,
}

#[derive(Debug)]
struct Family {
    help: &'static str,
    kind: MetricType,
    metrics: Vec<Metric>,
}

impl Families {
    /// A number that only grows while the process lives.
    pub fn counter(&mut self, name: &'static str, help: &'static str, labels: Labels<'_>, value: f64) {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = labelled(labels);
        metric.set_counter(counter);
        self.add(name, help, MetricType::COUNTER, metric);
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, labels: Labels<'_>, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = labelled(labels);
        metric.set_gauge(gauge);
        self.add(name, help, MetricType::GAUGE, metric);
    }

    /// How many things there are of each size: `counts` has those above the bound before, up to the own one, and the last
    /// of them those above all bounds.
    pub fn histogram(&mut self, name: &'static str, help: &'static str, bounds: &[f64], counts: &[u64], sum: f64) {
        let mut below = 0;
        let buckets = bounds.iter().zip(counts).map(|(&bound, &count)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(counts.iter().sum());
        histogram.set_sample_sum(sum);
        let mut metric = labelled(&[]);
        metric.set_histogram(histogram);
        self.add(name, help, MetricType::HISTOGRAM, metric);
    }

    /// In the order of their names.
    pub(super) fn all(self) -> Vec<MetricFamily> {
        let family = |(name, family): (&str, Family)| {
            let mut told = MetricFamily::default();
            told.set_name(name.to_string());
            told.set_help(family.help.to_string());
            told.set_field_type(family.kind);
            told.set_metric(family.metrics);
            told
        };
        self.by_name.into_iter().map(family).collect()
    }

    fn add(&mut self, name: &'static str, help: &'static str, kind: MetricType, metric: Metric) {
        let family = self.by_name.entry(name).or_insert_with(|| Family { help, kind, metrics: Vec::new() });
        family.metrics.push(metric);
    }
}

fn labelled(labels: Labels<'_>) -> Metric {
    let pair = |&(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_string());
        pair.set_value(value.to_string());
        pair
    };
    let mut metric = Metric::default();
    metric.set_label(labels.iter().map(pair).collect());
    metric
}
