//! NaNs that stand for missing cells, told from those that are values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type};

use super::native::{Native, native_values, with_float};
use super::wide::with_wide_lanes;

/// Cells looked at together: their flags stay in L1.
const TILE: usize = 1024;

/// Missing floats of 64 bits as NaNs, and nothing as a null; `None` where a NaN is a value among them, and of other types.
pub fn nulls_as_nans(values: &ArrayRef) -> Option<ArrayRef> {
    let floats = values.as_primitive_opt::<Float64Type>()?;
    if floats.iter().flatten().any(f64::is_nan) {
        return None;
    }
    match floats.nulls() {
        None => Some(Arc::clone(values)),
        Some(_) => Some(Arc::new(Float64Array::from_iter_values(floats.iter().map(|value| value.unwrap_or(f64::NAN))))),
    }
}

/// The same floats of 64 bits with a null buffer, even if there is no null: NaNs among them are then values.
pub fn with_null_buffer(values: ArrayRef) -> ArrayRef {
    match values.as_primitive_opt::<Float64Type>() {
        Some(floats) if floats.nulls().is_none() => {
            Arc::new(Float64Array::new(floats.values().clone(), Some(NullBuffer::new_valid(floats.len()))))
        }
        _ => values,
    }
}

/// Whether a float result has a NaN where none of its inputs has one: `0/0`, `inf - inf`. Inputs are floats, as long as
/// the result; anything else counts as having none.
pub fn makes_nan(result: &ArrayRef, inputs: &[&ArrayRef]) -> bool {
    let is_float = |values: &ArrayRef| matches!(values.data_type(), DataType::Float32 | DataType::Float64);
    if !is_float(result) {
        return false;
    }
    let cells = result.len();
    let mut known = [false; TILE];
    (0..cells).step_by(TILE).any(|start| {
        let known = &mut known[..TILE.min(cells - start)];
        known.fill(false);
        for input in inputs.iter().filter(|input| is_float(input)) {
            with_float!(input, T => add_nans(&native_values::<T>(input)[start..start + known.len()], known));
        }
        with_float!(result, T => has_others(&native_values::<T>(result)[start..start + known.len()], known))
    })
}

/// Sets the flags of the NaNs.
fn add_nans<T: Native>(values: &[T], known: &mut [bool]) {
    with_wide_lanes(
        #[inline(always)]
        || known.iter_mut().zip(values).for_each(|(flag, value)| *flag |= !value.is_number()),
    );
}

/// Whether there is a NaN whose flag is not set.
fn has_others<T: Native>(values: &[T], known: &[bool]) -> bool {
    with_wide_lanes(
        #[inline(always)]
        || known.iter().zip(values).fold(false, |found, (flag, value)| found | (!value.is_number() & !flag)),
    )
}

#[cfg(test)]
mod tests {
    use arrow::array::Float32Array;

    use super::*;

    fn floats(values: &[f32]) -> ArrayRef {
        Arc::new(Float32Array::from(values.to_vec()))
    }

    #[test]
    fn a_nan_of_an_input_is_none_of_the_result() {
        let nan = f32::NAN;
        let (a, b) = (floats(&[1.0, nan, 3.0]), floats(&[nan, 1.0, 1.0]));
        assert!(!makes_nan(&floats(&[nan, nan, 4.0]), &[&a, &b]));
        assert!(makes_nan(&floats(&[nan, nan, nan]), &[&a, &b]));
        assert!(makes_nan(&floats(&[nan, nan, 4.0]), &[&a]));
    }

    #[test]
    fn nulls_and_nans_are_told_apart() {
        let floats = |values: &[Option<f64>]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
        let coded = nulls_as_nans(&floats(&[Some(1.0), None]));
        let coded = coded.as_ref().and_then(|coded| coded.as_primitive_opt::<Float64Type>());
        assert!(coded.is_some_and(|coded| coded.null_count() == 0 && coded.value(0) == 1.0 && coded.value(1).is_nan()));
        assert!(nulls_as_nans(&floats(&[Some(f64::NAN), None])).is_none());
        assert!(with_null_buffer(floats(&[Some(f64::NAN)])).nulls().is_some());
    }

    #[test]
    fn types_may_differ_and_tiles_end_anywhere() {
        let many = vec![1.0f32; 2 * TILE + 3];
        let mut result = vec![1.0f64; 2 * TILE + 3];
        result[2 * TILE + 2] = f64::NAN;
        assert!(makes_nan(&(Arc::new(Float64Array::from(result.clone())) as ArrayRef), &[&floats(&many)]));
        result[2 * TILE + 2] = 0.0;
        assert!(!makes_nan(&(Arc::new(Float64Array::from(result)) as ArrayRef), &[&floats(&many)]));
    }
}
