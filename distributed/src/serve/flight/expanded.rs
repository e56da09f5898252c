//! What rows of a client take in types that every client reads: one word of a dictionary may stand in a million rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, RunArray};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow::record_batch::RecordBatch;
use tonic::Status;

/// Bytes that the rows of one message may have then.
const EXPANDED_BYTES_MAX: usize = 256 << 20;

/// Refuses rows that would take too much.
pub(super) fn check(batch: &RecordBatch) -> Result<(), Status> {
    let bytes = batch.columns().iter().fold(0usize, |all, column| all.saturating_add(expanded(column)));
    match bytes <= EXPANDED_BYTES_MAX {
        true => Ok(()),
        false => {
            let message =
                format!("expected rows of at most {EXPANDED_BYTES_MAX} bytes without dictionaries, views and");
            Err(Status::resource_exhausted(format!("{message} runs, found {bytes}: send fewer rows in each message")))
        }
    }
}

/// The bytes of an array without dictionaries, views and runs; above the most that may be, no more than that it is so.
fn expanded(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let widths = widths(dictionary.values());
            if widths.is_empty() {
                return array.len();
            }
            sum(dictionary.normalized_keys().into_iter().map(|key| widths.get(key).copied().unwrap_or(0)))
        }
        DataType::RunEndEncoded(_, _) => {
            let runs = run_bytes::<Int16Type>(array).or_else(|| run_bytes::<Int32Type>(array));
            runs.or_else(|| run_bytes::<Int64Type>(array)).unwrap_or(usize::MAX)
        }
        DataType::Utf8View => sum(array.as_string_view().views().iter().map(|view| *view as u32 as usize)),
        DataType::BinaryView => sum(array.as_binary_view().views().iter().map(|view| *view as u32 as usize)),
        // Lists may lie on each other.
        DataType::ListView(_) => {
            let lists = array.as_list_view::<i32>();
            sum((0..lists.len()).map(|row| expanded(&lists.value(row))))
        }
        DataType::LargeListView(_) => {
            let lists = array.as_list_view::<i64>();
            sum((0..lists.len()).map(|row| expanded(&lists.value(row))))
        }
        DataType::List(_) => expanded(&values_of(array.as_list::<i32>())),
        DataType::LargeList(_) => expanded(&values_of(array.as_list::<i64>())),
        DataType::FixedSizeList(_, _) => expanded(array.as_fixed_size_list().values()),
        DataType::Map(_, _) => sum(array.as_map().entries().columns().iter().map(expanded)),
        DataType::Struct(_) => sum(array.as_struct().columns().iter().map(expanded)),
        _ => array.to_data().get_slice_memory_size().unwrap_or(usize::MAX),
    }
}

/// The bytes of each value of a dictionary, or of a run.
fn widths(values: &ArrayRef) -> Vec<usize> {
    match values.data_type().primitive_width() {
        Some(width) => vec![width; values.len()],
        None => (0..values.len()).map(|at| expanded(&values.slice(at, 1))).collect(),
    }
}

fn run_bytes<R: RunEndIndexType>(array: &ArrayRef) -> Option<usize> {
    use arrow::datatypes::ArrowNativeType;
    let runs = array.as_any().downcast_ref::<RunArray<R>>()?;
    let mut before = 0;
    let lengths = runs.run_ends().values().iter().map(|end| {
        let end = end.as_usize().min(array.len());
        end.saturating_sub(std::mem::replace(&mut before, end))
    });
    Some(sum(lengths.zip(widths(runs.values())).map(|(length, width)| length.saturating_mul(width))))
}

/// The values that the lists hold, without those that lie beside them.
fn values_of<O: OffsetSizeTrait>(lists: &GenericListArray<O>) -> ArrayRef {
    let (values, offsets) = (lists.values(), lists.value_offsets());
    let [start, end] = [offsets.first(), offsets.last()].map(|at| at.map(|at| at.as_usize()));
    match start.zip(end) {
        Some((start, end)) if start <= end && end <= values.len() => values.slice(start, end - start),
        _ => Arc::clone(values),
    }
}

/// A byte at least for each, so that nothing is counted for ever.
fn sum(bytes: impl Iterator<Item = usize>) -> usize {
    let mut all = 0usize;
    for bytes in bytes {
        all = all.saturating_add(bytes.max(1));
        if all > EXPANDED_BYTES_MAX {
            break;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, Int8Array, Int64Array, LargeStringArray, StringArray, StringViewArray};

    use super::*;

    type Ended<T = ()> = Result<T, Box<dyn std::error::Error>>;

    fn checked(array: ArrayRef) -> Ended<Result<(), Status>> {
        Ok(check(&RecordBatch::try_from_iter([("a", array)])?))
    }

    #[test]
    fn rows_that_grow_beyond_bounds_are_refused() -> Ended {
        let word: ArrayRef = Arc::new(LargeStringArray::from(vec!["word".repeat(1 << 18)]));
        let many = |rows: usize| -> Ended<ArrayRef> {
            let keys = Int8Array::from(vec![0; rows]);
            Ok(Arc::new(DictionaryArray::try_new(keys, Arc::clone(&word))?))
        };
        checked(many(100)?)??;
        assert!(checked(many(1000)?)?.is_err());
        let runs = |end: i64| -> Ended<ArrayRef> {
            let values = Int64Array::from(vec![7]);
            Ok(Arc::new(RunArray::<Int64Type>::try_new(&Int64Array::from(vec![end]), &values)?))
        };
        checked(runs(1_000_000)?)??;
        assert!(checked(runs(1 << 40)?)?.is_err());
        Ok(())
    }

    #[test]
    fn what_is_expanded_is_counted() -> Ended {
        let words: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "a word of more than twelve bytes"]));
        assert_eq!(expanded(&words), 33);
        let values: ArrayRef = Arc::new(StringArray::from(vec!["abcd", "ab"]));
        let inner: ArrayRef = Arc::new(DictionaryArray::try_new(Int8Array::from(vec![0, 0, 1]), values)?);
        assert!((10..100).contains(&expanded(&inner)), "{} bytes", expanded(&inner));
        Ok(())
    }
}
