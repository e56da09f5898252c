//! Records as JSON: a line of the log each.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::plan_summary::{MetricUnit, PlanMetric, PlanSummary};
use super::record::{QueryRecord, QueryState};
use super::table::micros;
use crate::progress::ProgressSnapshot;

impl QueryRecord {
    /// The record as an object.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "user": self.user,
            "session": self.session,
            "text": self.text,
            "place": self.place,
            "started_us": micros(self.started),
            "state": self.state.name(),
            // A whole number of microseconds is read again as it was written.
            "seconds": (self.seconds * 1e6).round() / 1e6,
            "rows": self.rows,
            "bytes": self.bytes,
            "bytes_read": self.progress.bytes_read,
            "bytes_decoded": self.progress.bytes_decoded,
            "cells_total": self.progress.work_total,
            "cells_read": self.progress.work_done,
            "error": self.error,
            "jobs": self.jobs,
            "plan": self.plan.as_ref().map(|plan| plan.to_json()),
        })
    }

    /// The record that an object is of; `None` where it is of none.
    pub fn of_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_string);
        let number = |name: &str| value.get(name).and_then(Value::as_u64);
        let jobs = value.get("jobs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Some(Self {
            id: text("id")?,
            user: text("user")?,
            session: text("session")?,
            text: text("text")?,
            place: text("place")?,
            started: UNIX_EPOCH.checked_add(Duration::from_micros(number("started_us")?))?,
            state: QueryState::of_name(&text("state")?)?,
            seconds: value.get("seconds").and_then(Value::as_f64)?,
            rows: number("rows")?,
            bytes: number("bytes")?,
            progress: ProgressSnapshot {
                work_total: number("cells_total")?,
                work_done: number("cells_read")?,
                bytes_read: number("bytes_read")?,
                bytes_decoded: number("bytes_decoded")?,
            },
            error: text("error"),
            jobs: jobs.iter().filter_map(Value::as_str).map(str::to_string).collect(),
            plan: value.get("plan").and_then(PlanSummary::of_json).map(Arc::new),
        })
    }
}

impl PlanSummary {
    /// The operator and those below it as an object.
    pub fn to_json(&self) -> Value {
        let metrics: Vec<Value> = (self.metrics.iter())
            .map(|metric| json!({ "name": metric.name, "value": metric.value, "unit": metric.unit.name() }))
            .collect();
        json!({
            "name": self.name,
            "detail": self.detail,
            "metrics": metrics,
            "inputs": self.inputs.iter().map(Self::to_json).collect::<Vec<_>>(),
            "omitted": self.omitted,
        })
    }

    /// The operators that an object is of; `None` where it is of none.
    pub fn of_json(value: &Value) -> Option<Self> {
        let list = |name: &str| value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Some(Self {
            name: value.get("name")?.as_str()?.to_string(),
            detail: value.get("detail")?.as_str()?.to_string(),
            metrics: list("metrics").iter().filter_map(metric).collect(),
            inputs: list("inputs").iter().filter_map(Self::of_json).collect(),
            omitted: value.get("omitted").and_then(Value::as_u64).unwrap_or_default() as usize,
        })
    }
}

fn metric(value: &Value) -> Option<PlanMetric> {
    let unit = value.get("unit")?.as_str()?;
    Some(PlanMetric {
        name: value.get("name")?.as_str()?.to_string(),
        value: value.get("value")?.as_u64()?,
        unit: MetricUnit::ALL.into_iter().find(|known| known.name() == unit)?,
    })
}
