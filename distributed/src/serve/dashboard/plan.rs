//! Plans as lists of operators with what each has done, for a drawing.
//!
//! A drawing is a list of nodes, the parent of each before it: `{name, detail, parent, stage, metrics}`.

use std::collections::HashMap;

use ballista_core::execution_plans::{ShuffleReaderExec, UnresolvedShuffleExec};
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use quarray_engine::queries::PlanSummary;
use serde_json::{Map, Value, json};

/// Operators of a drawing, at most.
const NODES_MAX: usize = 400;

/// Operators above each other, at most.
const DEPTH_MAX: usize = 100;

/// Characters of what an operator does.
const DETAIL_CHARACTERS_MAX: usize = 240;

/// The drawing of a plan that was summed up.
pub fn drawing_of(summary: &PlanSummary) -> Value {
    let mut nodes = Vec::new();
    add_summary(summary, None, 0, &mut nodes);
    Value::Array(nodes)
}

/// Takes secrets out of a text.
pub type Clean<'a> = &'a dyn Fn(&str) -> String;

/// The drawing of a job: its stages one above the other, each as far as it has come.
pub fn drawing_of_stages(stages: &HashMap<usize, ExecutionStage>, clean: Clean<'_>) -> Value {
    let mut are_read = Vec::new();
    stages.values().for_each(|stage| add_inputs(stage.plan(), &mut are_read));
    let mut tops: Vec<usize> = stages.keys().copied().filter(|id| !are_read.contains(id)).collect();
    tops.sort_unstable();
    let mut drawing = StageDrawing { stages, clean, nodes: Vec::new() };
    for top in tops {
        drawing.add_stage(top, None, 0);
    }
    Value::Array(drawing.nodes)
}

/// A metric of all operators of a drawing, added up.
pub fn total(drawing: &Value, name: &str) -> u64 {
    let nodes = drawing.as_array().map_or(&[][..], Vec::as_slice);
    let values = nodes.iter().filter_map(|node| node.get("metrics")?.get(name)?.get("value")?.as_u64());
    values.fold(0, u64::saturating_add)
}

fn add_summary(summary: &PlanSummary, parent: Option<usize>, depth: usize, nodes: &mut Vec<Value>) {
    if nodes.len() >= NODES_MAX || depth >= DEPTH_MAX {
        return;
    }
    let metrics: Map<String, Value> = summary
        .metrics
        .iter()
        .map(|metric| (metric.name.clone(), json!({ "value": metric.value, "unit": metric.unit.name() })))
        .collect();
    nodes.push(json!({
        "name": summary.name,
        "detail": summary.detail,
        "parent": parent,
        "stage": null,
        "metrics": metrics,
    }));
    let place = nodes.len() - 1;
    summary.inputs.iter().for_each(|input| add_summary(input, Some(place), depth + 1, nodes));
}

struct StageDrawing<'a> {
    stages: &'a HashMap<usize, ExecutionStage>,
    clean: Clean<'a>,
    nodes: Vec<Value>,
}

impl StageDrawing<'_> {
    fn add_stage(&mut self, id: usize, parent: Option<usize>, depth: usize) {
        let Some(stage) = self.stages.get(&id) else { return };
        let metrics = match stage {
            ExecutionStage::Running(stage) => stage.stage_metrics.as_deref().unwrap_or_default(),
            ExecutionStage::Successful(stage) => &stage.stage_metrics,
            ExecutionStage::Failed(stage) => stage.stage_metrics.as_deref().unwrap_or_default(),
            ExecutionStage::UnResolved(_) | ExecutionStage::Resolved(_) => &[],
        };
        let mut metrics = metrics.iter();
        self.add(stage.plan(), id, &mut metrics, parent, depth);
    }

    fn add(
        &mut self,
        plan: &dyn ExecutionPlan,
        stage: usize,
        metrics: &mut std::slice::Iter<'_, MetricsSet>,
        parent: Option<usize>,
        depth: usize,
    ) {
        if self.nodes.len() >= NODES_MAX || depth >= DEPTH_MAX {
            return;
        }
        // Executors report those that count, in the order of this walk.
        let counted = if plan.metrics().is_some() { metrics.next() } else { None };
        self.nodes.push(json!({
            "name": plan.name(),
            "detail": detail_of(plan, self.clean),
            "parent": parent,
            "stage": stage,
            "metrics": counted.map(told).unwrap_or_default(),
        }));
        let place = self.nodes.len() - 1;
        if let Some(below) = stage_read(plan) {
            self.add_stage(below, Some(place), depth + 1);
        }
        for child in plan.children() {
            self.add(child.as_ref(), stage, metrics, Some(place), depth + 1);
        }
    }
}

/// The stage whose rows an operator reads, if it is one that does.
fn stage_read(plan: &dyn ExecutionPlan) -> Option<usize> {
    let unresolved = plan.downcast_ref::<UnresolvedShuffleExec>().map(|shuffle| shuffle.stage_id);
    unresolved.or_else(|| plan.downcast_ref::<ShuffleReaderExec>().map(|shuffle| shuffle.stage_id))
}

fn add_inputs(plan: &dyn ExecutionPlan, inputs: &mut Vec<usize>) {
    inputs.extend(stage_read(plan));
    plan.children().iter().for_each(|child| add_inputs(child.as_ref(), inputs));
}

fn detail_of(plan: &dyn ExecutionPlan, clean: Clean<'_>) -> String {
    let line = DisplayableExecutionPlan::new(plan).one_line().to_string();
    let line = line.trim();
    let rest = line.strip_prefix(plan.name()).map_or(line, |rest| rest.trim_start_matches([':', ' ']));
    let rest = clean(rest);
    match rest.char_indices().nth(DETAIL_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", rest.get(..end).unwrap_or_default()),
        None => rest,
    }
}

fn told(metrics: &MetricsSet) -> Map<String, Value> {
    let metrics = metrics.aggregate_by_name().sorted_for_display().timestamps_removed();
    let told = metrics.iter().filter_map(|metric| {
        let value = metric.value();
        let unit = match value {
            MetricValue::ElapsedCompute(_) | MetricValue::Time { .. } => "nanoseconds",
            MetricValue::PruningMetrics { .. } | MetricValue::Ratio { .. } | MetricValue::Custom { .. } => return None,
            MetricValue::CurrentMemoryUsage(_) | MetricValue::PeakMemoryUsage { .. } => "bytes",
            value if value.name().contains("bytes") => "bytes",
            _ => "count",
        };
        Some((value.name().to_string(), json!({ "value": value.as_usize(), "unit": unit })))
    });
    told.collect()
}
