//! Tables of cells: which dataset, which axes, which positions along them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use quarray_engine::array::Positions;
use quarray_engine::scan::{Axis, CellTable, LabelledDataset, order_of};

use super::datasets::{Datasets, dataset_message};
use super::{CodecError, message};

/// The message of a table; of its variables, those named are read before planning.
pub fn table_message(table: &CellTable, loaded: &[&str]) -> Result<message::Table, CodecError> {
    let axes = table.axes().iter().map(|axis| axis_message(table.source(), axis)).collect::<Result<_, _>>()?;
    let dataset = Some(dataset_message(table.source(), loaded)?);
    Ok(message::Table { name: table.name().to_string(), dataset, axes })
}

/// The table of a message.
pub fn table_of(table: &message::Table, datasets: &Datasets) -> Result<Arc<CellTable>, CodecError> {
    let dataset = table.dataset.as_ref().ok_or_else(|| missing("a dataset"))?;
    let dataset = datasets.open(dataset)?;
    let axes = table.axes.iter().map(|axis| axis_of(axis, &dataset)).collect::<Result<_, _>>()?;
    Ok(Arc::new(CellTable::new(table.name.clone(), dataset, axes)))
}

/// The message of an axis.
pub fn axis_message(dataset: &LabelledDataset, axis: &Axis) -> Result<message::Axis, CodecError> {
    let whole = dataset.axis(&axis.name);
    let is_datasets = whole.is_some_and(|whole| Arc::ptr_eq(&whole.labels, &axis.labels));
    Ok(message::Axis {
        dimension: axis.name.clone(),
        positions: Some(positions_message(&axis.positions)),
        numbering: (axis.numbering != axis.positions).then(|| positions_message(&axis.numbering)),
        fraction: axis.fraction,
        scalar: axis.scalar,
        labels: if is_datasets { None } else { Some(stream_of(&axis.labels)?) },
    })
}

/// The axis of a message.
pub fn axis_of(axis: &message::Axis, dataset: &LabelledDataset) -> Result<Axis, CodecError> {
    let mut found = dataset.axis(&axis.dimension).ok_or_else(|| {
        CodecError::Malformed(format!("dimension `{}`, which dataset `{}` lacks", axis.dimension, dataset.name))
    })?;
    if let Some(stream) = &axis.labels {
        let labels = array_of(stream)?;
        if labels.data_type() != found.labels.data_type() {
            return Err(CodecError::Malformed(format!("labels of type {}", labels.data_type())));
        }
        found.order = order_of(&labels)?;
        found.labels = labels;
    }
    let length = found.labels.len() as u64;
    let positions = axis.positions.as_ref().ok_or_else(|| missing("positions"))?;
    found.positions = positions_of(positions, length)?;
    found.numbering = match &axis.numbering {
        Some(numbering) => positions_of(numbering, length)?,
        None => found.positions.clone(),
    };
    (found.fraction, found.scalar) = (axis.fraction, axis.scalar);
    Ok(found)
}

/// That part of a message is not there.
pub fn missing(what: &str) -> CodecError {
    CodecError::Malformed(format!("none without {what}"))
}

fn positions_message(positions: &Positions) -> message::Positions {
    let list = match positions {
        Positions::Range { start, count, step } => return message::Positions { runs: vec![*start, *count, *step] },
        Positions::List(list) => list,
    };
    let mut runs = Vec::new();
    let (mut place, mut before) = (0, 0);
    while let Some(&first) = list.get(place) {
        let step = list.get(place + 1).map_or(1, |second| second - first);
        let rest = list[place..].windows(2).take_while(|pair| pair[1] - pair[0] == step).count();
        runs.extend([first - before, rest as u64 + 1, step]);
        place += rest + 1;
        before = list[place - 1];
    }
    message::Positions { runs }
}

/// The positions of a message, along a dimension of so many.
fn positions_of(positions: &message::Positions, length: u64) -> Result<Positions, CodecError> {
    let wrong = || CodecError::Malformed(format!("positions that are not in order below {length}"));
    let (runs, rest) = positions.runs.as_chunks::<3>();
    if !rest.is_empty() {
        return Err(wrong());
    }
    let mut last: Option<u64> = None;
    let mut found = Vec::new();
    for &[distance, count, step] in runs {
        let is_single = runs.len() == 1;
        if step == 0 || (count == 0 && !is_single) || (distance == 0 && last.is_some()) {
            return Err(wrong());
        }
        let start = last.unwrap_or(0).checked_add(distance).ok_or_else(wrong)?;
        let end = count.saturating_sub(1).checked_mul(step).and_then(|span| start.checked_add(span));
        let end = end.filter(|&end| count == 0 || end < length).ok_or_else(wrong)?;
        if is_single {
            return Ok(Positions::Range { start, count, step });
        }
        found.extend((0..count).map(|k| start + k * step));
        last = Some(end);
    }
    Ok(Positions::List(found.into()))
}

fn stream_of(values: &ArrayRef) -> Result<Vec<u8>, CodecError> {
    let write = || {
        let batch = RecordBatch::try_from_iter_with_nullable([("labels", Arc::clone(values), true)])?;
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
        writer.write(&batch)?;
        writer.into_inner()
    };
    Ok(write().map_err(DataFusionError::from)?)
}

fn array_of(stream: &[u8]) -> Result<ArrayRef, CodecError> {
    let read = || StreamReader::try_new(stream, None)?.next().transpose();
    let batch = read().map_err(|error| CodecError::Malformed(error.to_string()))?;
    match batch {
        Some(batch) if batch.num_columns() == 1 => Ok(Arc::clone(batch.column(0))),
        _ => Err(missing("labels")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back() -> Result<(), CodecError> {
        let lists: [&[u64]; 5] = [&[3, 4, 5, 90, 91, 92, 93], &[0, 7, 8], &[1, 2, 4, 8, 16], &[5, 6, 99], &[0, 1, 99]];
        let lists = lists.iter().map(|list| Positions::List((*list).into()));
        let ranges = [(0, 0, 1), (7, 0, 3), (0, 100, 1), (99, 1, 5), (1, 33, 3)];
        let ranges = ranges.map(|(start, count, step)| Positions::Range { start, count, step });
        for positions in lists.chain(ranges) {
            assert_eq!(positions_of(&positions_message(&positions), 100)?, positions);
        }
        // Januaries of daily data: a run a year.
        let days: Vec<u64> = (0..40).flat_map(|year| (0..31).map(move |day| year * 365 + day)).collect();
        assert_eq!(positions_message(&Positions::List(days.into())).runs.len(), 3 * 40);
        Ok(())
    }

    #[test]
    fn positions_that_cannot_be_are_refused() {
        for runs in [
            vec![0, 101, 1],
            vec![100, 1, 1],
            vec![0, 2, u64::MAX],
            vec![u64::MAX, 2, 1],
            vec![0, 5, 0],
            vec![0, 5],
            vec![0, 5, 1, 0, 5, 1],
            vec![0, 5, 1, 1, 0, 1],
            vec![0, u64::MAX, u64::MAX],
            vec![0, 50, 1, 1, u64::MAX, 1],
        ] {
            let found = positions_of(&message::Positions { runs: runs.clone() }, 100);
            assert!(matches!(found, Err(CodecError::Malformed(_))), "{runs:?}: {found:?}");
        }
    }
}
