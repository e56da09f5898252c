//! Cells compared with a number.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;

use super::fold::pack;
use super::native::{Native, native_values, with_float};
use super::wide::with_wide_lanes;

/// How a cell compares with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// It is less.
    Less,
    /// It is less or equal.
    LessOrEqual,
    /// It is greater.
    Greater,
    /// It is greater or equal.
    GreaterOrEqual,
    /// It is equal.
    Equal,
    /// It is another number.
    NotEqual,
}

/// A bit for each of the floats: whether it compares so with `number`. A NaN never does. `None` of other types, and
/// where there are nulls.
pub fn compare(values: &ArrayRef, comparison: Comparison, number: f64) -> Option<BooleanBuffer> {
    if !matches!(values.data_type(), DataType::Float32 | DataType::Float64) || values.null_count() > 0 {
        return None;
    }
    with_float!(values, T => {
        let values = native_values::<T>(values);
        Some(match comparison {
            Comparison::Less => bits(&values, #[inline(always)] |value| value < number),
            Comparison::LessOrEqual => bits(&values, #[inline(always)] |value| value <= number),
            Comparison::Greater => bits(&values, #[inline(always)] |value| value > number),
            Comparison::GreaterOrEqual => bits(&values, #[inline(always)] |value| value >= number),
            Comparison::Equal => bits(&values, #[inline(always)] |value| value == number),
            Comparison::NotEqual => bits(&values, #[inline(always)] |value| value != number && value.is_number()),
        })
    })
}

#[inline(always)]
fn bits<T: Native>(values: &[T], is_so: impl Fn(f64) -> bool) -> BooleanBuffer {
    with_wide_lanes(
        #[inline(always)]
        || {
            let mut flags = vec![false; values.len()];
            for (flag, value) in flags.iter_mut().zip(values) {
                *flag = is_so(value.float());
            }
            pack(&flags)
        },
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, Float64Array, Int32Array};

    use super::*;

    #[test]
    fn a_nan_never_compares() {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let values = [1.0, f32::NAN, 2.0, -f32::NAN, 3.0, f32::INFINITY, f32::NEG_INFINITY];
        let narrow: ArrayRef = Arc::new(Float32Array::from(values.to_vec()));
        let wide: ArrayRef = Arc::new(Float64Array::from_iter_values(values.iter().map(|&value| f64::from(value))));
        for (comparison, expected) in [
            (Less, [true, false, false, false, false, false, true]),
            (LessOrEqual, [true, false, true, false, false, false, true]),
            (Greater, [false, false, false, false, true, true, false]),
            (GreaterOrEqual, [false, false, true, false, true, true, false]),
            (Equal, [false, false, true, false, false, false, false]),
            (NotEqual, [true, false, false, false, true, true, true]),
        ] {
            for values in [&narrow, &wide] {
                let found = compare(values, comparison, 2.0).map(|bits| bits.iter().collect::<Vec<_>>());
                assert_eq!(found, Some(expected.to_vec()), "{comparison:?}");
            }
        }
    }

    #[test]
    fn other_values_are_for_others() {
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let nulls: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.0), None]));
        assert!(compare(&ints, Comparison::Less, 2.0).is_none());
        assert!(compare(&nulls, Comparison::Less, 2.0).is_none());
    }
}
