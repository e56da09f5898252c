//! NaNs that arithmetic made, told from those that stand for missing cells.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

use super::native::{Native, native_values};
use super::wide::with_wide_lanes;

/// Cells looked at together: their flags stay in L1.
const TILE: usize = 1024;

/// Whether a float result has a NaN where none of its inputs has one: `0/0`, `inf - inf`. Inputs are floats, as long as
/// the result; anything else counts as having none.
pub fn makes_nan(result: &ArrayRef, inputs: &[&ArrayRef]) -> bool {
    let cells = result.len();
    let mut flags = [false; TILE];
    (0..cells).step_by(TILE).any(|start| {
        let flags = &mut flags[..TILE.min(cells - start)];
        flags.fill(false);
        for input in inputs {
            flag_nans(input, start, flags);
        }
        let known = flags.iter().filter(|flag| **flag).count();
        flag_nans(result, start, flags);
        flags.iter().filter(|flag| **flag).count() > known
    })
}

/// Sets the flags of the cells from `start` on that are NaNs.
fn flag_nans(values: &ArrayRef, start: usize, flags: &mut [bool]) {
    match values.data_type() {
        DataType::Float32 => flag(&native_values::<f32>(values)[start..start + flags.len()], flags),
        DataType::Float64 => flag(&native_values::<f64>(values)[start..start + flags.len()], flags),
        _ => {}
    }
}

fn flag<T: Native>(values: &[T], flags: &mut [bool]) {
    with_wide_lanes(
        #[inline(always)]
        || flags.iter_mut().zip(values).for_each(|(flag, value)| *flag |= !value.is_number()),
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, Float64Array};

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
    fn types_may_differ_and_tiles_end_anywhere() {
        let many = vec![1.0f32; 2 * TILE + 3];
        let mut result = vec![1.0f64; 2 * TILE + 3];
        result[2 * TILE + 2] = f64::NAN;
        assert!(makes_nan(&(Arc::new(Float64Array::from(result.clone())) as ArrayRef), &[&floats(&many)]));
        result[2 * TILE + 2] = 0.0;
        assert!(!makes_nan(&(Arc::new(Float64Array::from(result)) as ArrayRef), &[&floats(&many)]));
    }
}
