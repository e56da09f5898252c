//! What the operators of a plan are and did, in words and numbers that outlive the plan.

use std::fmt;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};

/// Bytes that a summary may have, about; what is below that is left out.
const BYTES_MAX: usize = 16 << 10;

/// Bytes of the line of an operator.
const DETAIL_BYTES_MAX: usize = 240;

/// Metrics of an operator.
const METRICS_MAX: usize = 24;

/// Bytes of a metric and of an operator beside its texts, about.
const ENTRY_BYTES: usize = 48;

/// Operators above each other: what is deeper is left out. Those who read JSON do not look much deeper.
const DEPTH_MAX: usize = 48;

/// An operator and those below it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlanSummary {
    /// Its name: `GridReducePartialExec`.
    pub name: String,
    /// One line of what it does, cut where it is long.
    pub detail: String,
    /// What it has counted, over all partitions.
    pub metrics: Vec<PlanMetric>,
    /// Where its rows come from.
    pub inputs: Vec<PlanSummary>,
    /// Inputs that were left out, since there were too many.
    pub omitted: usize,
}

/// A number that an operator has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanMetric {
    /// Its name: `output_rows`.
    pub name: String,
    /// How much it is.
    pub value: u64,
    /// Of what.
    pub unit: MetricUnit,
}

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricUnit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds of work, of all threads together.
    Nanoseconds,
}

impl MetricUnit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Count, Self::Bytes, Self::Nanoseconds];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Nanoseconds => "nanoseconds",
        }
    }
}

impl PlanSummary {
    /// The summary of a plan, as far as it has run here, with texts that were cleaned.
    pub fn of(plan: &dyn ExecutionPlan, clean: &dyn Fn(&str) -> String) -> Self {
        let mut own = |plan: &dyn ExecutionPlan| plan.metrics();
        summary(plan, &mut Reading { room: BYTES_MAX, clean, metrics: &mut own }, 0).unwrap_or_default()
    }

    /// The summary of one of `count` parts of a plan, which have run elsewhere: the metrics of its operators come from
    /// there, those of an operator before those of its inputs.
    pub fn measured(
        plan: &dyn ExecutionPlan,
        metrics: &[MetricsSet],
        count: usize,
        clean: &dyn Fn(&str) -> String,
    ) -> Self {
        // Of another number they would be those of another plan.
        let mut metrics = if measured_operators(plan) == metrics.len() { metrics.iter() } else { [].iter() };
        let mut told = |plan: &dyn ExecutionPlan| plan.metrics().and_then(|_| metrics.next().cloned());
        let room = BYTES_MAX / count.max(1);
        summary(plan, &mut Reading { room, clean, metrics: &mut told }, 0).unwrap_or_default()
    }

    /// Several plans, or parts of one, as one of this name; `None` where there are none.
    pub fn of_several(name: &str, mut plans: Vec<Self>) -> Option<Self> {
        match plans.len() {
            0 | 1 => plans.pop(),
            _ => Some(Self { name: name.to_string(), inputs: plans, ..Self::default() }),
        }
    }

    /// Every metric of that name, over the whole tree, added up.
    pub fn total(&self, name: &str) -> u64 {
        let own = self.metrics.iter().filter(|metric| metric.name == name).map(|metric| metric.value);
        own.chain(self.inputs.iter().map(|input| input.total(name))).fold(0, u64::saturating_add)
    }
}

/// A line an operator, as EXPLAIN ANALYZE has them: its name, what it does, what it has counted.
impl fmt::Display for PlanSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_at(self, 0, formatter)
    }
}

fn write_at(summary: &PlanSummary, depth: usize, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let PlanSummary { name, detail, metrics, inputs, omitted } = summary;
    write!(formatter, "{:indent$}{name}", "", indent = 2 * depth)?;
    if !detail.is_empty() {
        write!(formatter, ": {detail}")?;
    }
    if !metrics.is_empty() {
        let metrics: Vec<String> = metrics.iter().map(|metric| format!("{}={}", metric.name, metric.value)).collect();
        write!(formatter, ", metrics=[{}]", metrics.join(", "))?;
    }
    writeln!(formatter)?;
    inputs.iter().try_for_each(|input| write_at(input, depth + 1, formatter))?;
    match omitted {
        0 => Ok(()),
        _ => writeln!(formatter, "{:indent$}… {omitted} more", "", indent = 2 * (depth + 1)),
    }
}

/// How a plan is read.
struct Reading<'a> {
    /// Bytes that are left for what is told.
    room: usize,
    clean: &'a dyn Fn(&str) -> String,
    metrics: &'a mut dyn FnMut(&dyn ExecutionPlan) -> Option<MetricsSet>,
}

/// Operators that count something.
fn measured_operators(plan: &dyn ExecutionPlan) -> usize {
    let inputs: usize = plan.children().into_iter().map(|input| measured_operators(input.as_ref())).sum();
    usize::from(plan.metrics().is_some()) + inputs
}

/// The metrics of an operator, added up over its partitions.
fn metrics_of(metrics: MetricsSet) -> Vec<PlanMetric> {
    let metrics = metrics.aggregate_by_name().sorted_for_display().timestamps_removed();
    metrics.iter().filter_map(|metric| metric_of(metric.value())).take(METRICS_MAX).collect()
}

fn metric_of(value: &MetricValue) -> Option<PlanMetric> {
    let unit = match value {
        MetricValue::ElapsedCompute(_) | MetricValue::Time { .. } => MetricUnit::Nanoseconds,
        MetricValue::SpilledBytes(_)
        | MetricValue::OutputBytes(_)
        | MetricValue::CurrentMemoryUsage(_)
        | MetricValue::PeakMemoryUsage { .. } => MetricUnit::Bytes,
        MetricValue::Count { name, .. } | MetricValue::Gauge { name, .. } if name.contains("bytes") => {
            MetricUnit::Bytes
        }
        // Not one number each.
        MetricValue::PruningMetrics { .. } | MetricValue::Ratio { .. } | MetricValue::Custom { .. } => return None,
        _ => MetricUnit::Count,
    };
    Some(PlanMetric { name: value.name().to_string(), value: value.as_usize() as u64, unit })
}

fn summary(plan: &dyn ExecutionPlan, reading: &mut Reading<'_>, depth: usize) -> Option<PlanSummary> {
    if depth == DEPTH_MAX {
        // What comes after would be given the metrics of what is left out.
        reading.room = 0;
    }
    if reading.room == 0 {
        return None;
    }
    let line = DisplayableExecutionPlan::new(plan).one_line().to_string();
    let name = plan.name().to_string();
    let line = line.trim();
    let detail = line.strip_prefix(name.as_str()).map_or(line, |rest| rest.trim_start_matches([':', ' ']));
    let detail = cut(&(reading.clean)(detail), DETAIL_BYTES_MAX);
    let metrics = (reading.metrics)(plan).map(metrics_of).unwrap_or_default();
    let metric_bytes = metrics.iter().map(|metric| metric.name.len() + ENTRY_BYTES).sum::<usize>();
    reading.room = reading.room.saturating_sub(name.len() + detail.len() + metric_bytes + ENTRY_BYTES);
    let children = plan.children();
    let inputs: Vec<PlanSummary> =
        children.iter().filter_map(|child| summary(child.as_ref(), reading, depth + 1)).collect();
    Some(PlanSummary { name, detail, metrics, omitted: children.len() - inputs.len(), inputs })
}

/// The beginning of a text that is too long.
pub(super) fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_string();
    }
    let end = (0..=bytes_max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}
