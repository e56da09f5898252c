//! Several scenes on each other: what becomes of a cell that more than one of them has.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType, Float32Type, Float64Type};

use crate::source::warp::{Window, filled_like};

/// What becomes of a cell that several scenes have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mosaic {
    /// That of the first scene in which it is not missing.
    #[default]
    First,
    /// That of the last one.
    Last,
    /// Their mean.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

impl Mosaic {
    /// The mosaic of that name.
    ///
    /// # Errors
    /// A message that names what was found.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            "mean" => Ok(Self::Mean),
            "min" => Ok(Self::Min),
            "max" => Ok(Self::Max),
            other => Err(format!("`mosaic`: expected first, last, mean, min or max, found `{other}`")),
        }
    }

    /// The type of what it makes of cells of a type.
    pub(super) fn data_type(self, cells: &DataType) -> DataType {
        match (self, cells) {
            (Self::Mean, DataType::Float32) => DataType::Float32,
            (Self::Mean, _) => DataType::Float64,
            _ => cells.clone(),
        }
    }

    /// The cells of a window, from parts of it that lie on each other; all are of one type, whose missing cells are NaN
    /// where it is one of floats, else nulls.
    pub(super) fn combine(
        self,
        window: &Window,
        parts: &[(Window, ArrayRef)],
        data_type: &DataType,
    ) -> Result<ArrayRef, String> {
        let result = self.data_type(data_type);
        if let [(only, cells)] = parts
            && only == window
        {
            return cast(cells, &result).map_err(|error| error.to_string());
        }
        if parts.is_empty() {
            return Ok(filled_like(&result, result.is_floating(), window.width() * window.height()));
        }
        match self {
            Self::Mean => mean(window, parts, &result),
            _ => chosen(self, window, parts, data_type),
        }
    }
}

/// The places of a part's cells among those of a window.
fn cells_of<'a>(window: &'a Window, part: &'a Window) -> impl Iterator<Item = usize> + 'a {
    let left = (part.columns.0 - window.columns.0) as usize;
    let top = (part.rows.0 - window.rows.0) as usize;
    (0..part.height()).flat_map(move |row| {
        let first = (top + row) * window.width() + left;
        first..first + part.width()
    })
}

/// Which cells are not missing.
fn present(cells: &ArrayRef) -> BooleanBuffer {
    let there = |place: usize| match cells.data_type() {
        DataType::Float32 => !cells.as_primitive::<Float32Type>().value(place).is_nan(),
        DataType::Float64 => !cells.as_primitive::<Float64Type>().value(place).is_nan(),
        _ => cells.is_valid(place),
    };
    BooleanBuffer::collect_bool(cells.len(), there)
}

fn numbers(cells: &ArrayRef) -> Result<Float64Array, String> {
    let numbers = cast(cells, &DataType::Float64).map_err(|error| error.to_string())?;
    Ok(numbers.as_primitive::<Float64Type>().clone())
}

fn check(window: &Window, part: &Window, cells: &ArrayRef) -> Result<(), String> {
    let is_inside = window.rows.0 <= part.rows.0
        && part.rows.1 <= window.rows.1
        && window.columns.0 <= part.columns.0
        && part.columns.1 <= window.columns.1;
    match is_inside && cells.len() == part.width() * part.height() {
        true => Ok(()),
        false => Err(format!("{} cells of {part:?} do not lie in {window:?}", cells.len())),
    }
}

fn mean(window: &Window, parts: &[(Window, ArrayRef)], result: &DataType) -> Result<ArrayRef, String> {
    let count = window.width() * window.height();
    let (mut sums, mut counts) = (vec![0.0; count], vec![0u32; count]);
    for (part, cells) in parts {
        check(window, part, cells)?;
        let (there, values) = (present(cells), numbers(cells)?);
        for (from, to) in cells_of(window, part).enumerate() {
            if there.value(from) {
                sums[to] += values.value(from);
                counts[to] += 1;
            }
        }
    }
    // Zero by zero is what is missing: a NaN.
    let means = sums.iter().zip(counts).map(|(sum, count)| sum / f64::from(count));
    Ok(match result {
        DataType::Float32 => Arc::new(Float32Array::from_iter_values(means.map(|mean| mean as f32))),
        _ => Arc::new(Float64Array::from_iter_values(means)),
    })
}

/// For every cell one of the parts that have it.
fn chosen(
    mosaic: Mosaic,
    window: &Window,
    parts: &[(Window, ArrayRef)],
    data_type: &DataType,
) -> Result<ArrayRef, String> {
    let nothing = filled_like(data_type, data_type.is_floating(), 1);
    let mut arrays: Vec<&dyn Array> = vec![nothing.as_ref()];
    arrays.extend(parts.iter().map(|(_, cells)| cells.as_ref()));
    let count = window.width() * window.height();
    let mut choices = vec![(0, 0); count];
    let is_of_size = matches!(mosaic, Mosaic::Min | Mosaic::Max);
    let mut best = if is_of_size { vec![f64::NAN; count] } else { Vec::new() };
    for (number, (part, cells)) in parts.iter().enumerate() {
        check(window, part, cells)?;
        let there = present(cells);
        let values = if is_of_size { Some(numbers(cells)?) } else { None };
        for (from, to) in cells_of(window, part).enumerate() {
            if !there.value(from) {
                continue;
            }
            let is_taken = match (&values, mosaic) {
                (Some(values), _) => {
                    let (value, before) = (values.value(from), best[to]);
                    let is_better = if mosaic == Mosaic::Min { value < before } else { value > before };
                    let is_taken = before.is_nan() || is_better;
                    best[to] = if is_taken { value } else { before };
                    is_taken
                }
                (None, Mosaic::First) => choices[to].0 == 0,
                (None, _) => true,
            };
            if is_taken {
                choices[to] = (number + 1, from);
            }
        }
    }
    interleave(&arrays, &choices).map_err(|error| error.to_string())
}

impl fmt::Display for Mosaic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int16Array;
    use arrow::datatypes::Int16Type;

    use super::*;

    fn window(rows: (u64, u64), columns: (u64, u64)) -> Window {
        Window { rows, columns }
    }

    #[test]
    fn scenes_lie_on_each_other() -> Result<(), String> {
        let all = window((4, 6), (2, 4));
        let a: ArrayRef = Arc::new(Int16Array::from(vec![Some(1), None, Some(3), Some(4)]));
        let b: ArrayRef = Arc::new(Int16Array::from(vec![Some(7), Some(2)]));
        let parts = [(all, a), (window((4, 6), (3, 4)), b)];
        for (mosaic, expected) in [
            (Mosaic::First, [1, 7, 3, 4]),
            (Mosaic::Last, [1, 7, 3, 2]),
            (Mosaic::Min, [1, 7, 3, 2]),
            (Mosaic::Max, [1, 7, 3, 4]),
        ] {
            let found = mosaic.combine(&all, &parts, &DataType::Int16)?;
            assert_eq!(found.as_primitive::<Int16Type>().values(), &expected, "{mosaic}");
        }
        let means = Mosaic::Mean.combine(&all, &parts, &DataType::Int16)?;
        assert_eq!(means.as_primitive::<Float64Type>().values(), &[1.0, 7.0, 3.0, 3.0]);
        let nothing = Mosaic::First.combine(&all, &parts[1..], &DataType::Int16)?;
        assert_eq!(nothing.as_primitive::<Int16Type>().iter().collect::<Vec<_>>(), [None, Some(7), None, Some(2)]);
        assert!(Mosaic::First.combine(&window((4, 5), (2, 4)), &parts, &DataType::Int16).is_err());
        Ok(())
    }

    #[test]
    fn a_missing_float_is_a_nan() -> Result<(), String> {
        let all = window((0, 1), (0, 2));
        let a: ArrayRef = Arc::new(Float32Array::from(vec![f32::NAN, 2.0]));
        let parts = [(all, a.clone()), (all, a)];
        for mosaic in [Mosaic::First, Mosaic::Last, Mosaic::Mean, Mosaic::Min, Mosaic::Max] {
            let found = mosaic.combine(&all, &parts, &DataType::Float32)?;
            let found = found.as_primitive::<Float32Type>();
            assert!(found.value(0).is_nan() && found.value(1) == 2.0 && found.null_count() == 0, "{mosaic}");
        }
        Ok(())
    }
}
