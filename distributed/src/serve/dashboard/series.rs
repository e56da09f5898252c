//! Figures over time: one sample a second, the last quarter of an hour of them.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

/// Samples that are kept.
const SAMPLES_MAX: usize = 900;

/// The names of the figures, in their order in a sample.
pub const NAMES: [&str; 11] =
    ["cpu", "memory", "read", "decoded", "running", "planning", "desired", "live", "cores_busy", "cores", "waiting"];

/// The figures of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub at: u64,
    /// The figures, by the places of [`NAMES`]: cores at work, bytes, bytes a second, statements, executors, cores,
    /// partitions.
    pub values: [f64; NAMES.len()],
}

/// The last samples.
#[derive(Debug, Default)]
pub struct Series(VecDeque<Sample>);

impl Series {
    /// One more; the oldest gives way.
    pub fn push(&mut self, sample: Sample) {
        if self.0.len() == SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// The last one.
    pub fn last(&self) -> Option<&Sample> {
        self.0.back()
    }

    /// All of them: a list a figure.
    pub fn told(&self) -> Value {
        let mut told = Map::new();
        told.insert("at".to_string(), self.0.iter().map(|sample| sample.at).collect());
        for (place, name) in NAMES.iter().enumerate() {
            let values = self.0.iter().filter_map(|sample| sample.values.get(place));
            told.insert((*name).to_string(), values.map(|value| shortened(*value)).collect());
        }
        Value::Object(told)
    }
}

impl Sample {
    /// As an object.
    pub fn told(&self) -> Value {
        let mut told = Map::new();
        told.insert("at".to_string(), json!(self.at));
        for (name, value) in NAMES.iter().zip(self.values) {
            told.insert((*name).to_string(), shortened(value));
        }
        Value::Object(told)
    }
}

/// Three digits behind the point are more than anyone sees.
fn shortened(value: f64) -> Value {
    let rounded = (value * 1000.0).round() / 1000.0;
    if rounded.fract() == 0.0 && rounded.abs() < 9e15 { json!(rounded as i64) } else { json!(rounded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_give_way() {
        let mut series = Series::default();
        for at in 0..2000 {
            series.push(Sample { at, values: [0.12345; NAMES.len()] });
        }
        let told = series.told();
        assert_eq!(told["at"].as_array().map(Vec::len), Some(SAMPLES_MAX));
        assert_eq!((&told["at"][0], &told["cpu"][0]), (&json!(1100), &json!(0.123)));
        assert!(told.to_string().len() < 80_000);
    }
}
