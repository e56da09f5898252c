//! The labels of a dimension, numbered.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};

use super::arrow_error;
use crate::error::Error;

/// The distinct labels of a dimension, numbered as they come.
#[derive(Debug)]
pub(crate) struct LabelIndex {
    name: String,
    converter: RowConverter,
    numbers: HashMap<Arc<[u8]>, u32>,
    /// The labels by number, encoded so that bytes compare as they do.
    encoded: Vec<Arc<[u8]>>,
    /// The labels were given: there are no others.
    complete: bool,
    steps: Steps,
}

/// How labels follow each other in rows whose labels before them are the same.
#[derive(Debug, Clone, Copy)]
struct Steps {
    ascending: bool,
    descending: bool,
    /// The numbers grow.
    growing: bool,
}

impl LabelIndex {
    /// No labels yet, of that type.
    pub(crate) fn new(name: &str, data_type: &DataType) -> Result<Self, Error> {
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())]).map_err(arrow_error)?;
        let steps = Steps { ascending: true, descending: true, growing: true };
        let (numbers, encoded) = (HashMap::new(), Vec::new());
        Ok(Self { name: name.to_string(), converter, numbers, encoded, complete: false, steps })
    }

    /// All labels of the dimension, numbered as they stand.
    pub(crate) fn complete(name: &str, labels: &ArrayRef) -> Result<Self, Error> {
        let mut index = Self::new(name, labels.data_type())?;
        index.numbers_of(labels)?;
        if index.len() != labels.len() {
            let (all, distinct) = (labels.len(), index.len());
            return Err(Error::Execution(format!("dimension `{name}` has {all} labels, but only {distinct} distinct")));
        }
        index.complete = true;
        Ok(index)
    }

    /// How many labels there are.
    pub(crate) fn len(&self) -> usize {
        self.encoded.len()
    }

    /// The numbers of labels.
    pub(crate) fn numbers_of(&mut self, labels: &ArrayRef) -> Result<Vec<u32>, Error> {
        let rows = self.converter.convert_columns(std::slice::from_ref(labels)).map_err(arrow_error)?;
        let mut numbers = Vec::with_capacity(labels.len());
        let mut last = 0;
        for row in rows.iter() {
            last = self.number(row.as_ref(), last)?;
            numbers.push(last);
        }
        Ok(numbers)
    }

    /// The number of a label; most rows have the label of the row before, the next one, or the first again.
    fn number(&mut self, label: &[u8], last: u32) -> Result<u32, Error> {
        for guess in [last, last + 1, 0] {
            if self.encoded.get(guess as usize).is_some_and(|known| known.as_ref() == label) {
                return Ok(guess);
            }
        }
        if let Some(number) = self.numbers.get(label) {
            return Ok(*number);
        }
        if self.complete {
            return Err(Error::Internal(format!("a row has a label that is none of dimension `{}`", self.name)));
        }
        let number = u32::try_from(self.encoded.len())
            .map_err(|_| Error::Resources(format!("dimension `{}` has more than {} labels", self.name, u32::MAX)))?;
        let label: Arc<[u8]> = label.into();
        self.numbers.insert(Arc::clone(&label), number);
        self.encoded.push(label);
        Ok(number)
    }

    /// Takes note that one number followed another where the labels of all dimensions before this one stayed.
    pub(crate) fn step(&mut self, from: u32, to: u32) {
        let (before, after) = (&self.encoded[from as usize], &self.encoded[to as usize]);
        self.steps.growing &= from < to;
        match before.cmp(after) {
            Ordering::Less => self.steps.descending = false,
            Ordering::Greater => self.steps.ascending = false,
            Ordering::Equal => {}
        }
    }

    /// The labels in the order in which the rows had them, or ascending where they had none; and the place of each
    /// number among them.
    pub(crate) fn into_labels(self) -> Result<(ArrayRef, Vec<u32>), Error> {
        let mut order: Vec<u32> = (0..self.encoded.len() as u32).collect();
        let by_label = |a: &u32, b: &u32| self.encoded[*a as usize].cmp(&self.encoded[*b as usize]);
        let Steps { ascending, descending, growing } = self.steps;
        match (self.complete, ascending, descending, growing) {
            (true, ..) | (_, false, false, true) => {}
            (_, false, true, _) => order.sort_by(|a, b| by_label(b, a)),
            _ => order.sort_by(by_label),
        }
        let mut places = vec![0; order.len()];
        for (place, number) in order.iter().enumerate() {
            places[*number as usize] = place as u32;
        }
        let parser = self.converter.parser();
        let rows = order.iter().map(|number| parser.parse(&self.encoded[*number as usize]));
        let labels = self.converter.convert_rows(rows).map_err(arrow_error)?;
        match labels.into_iter().next() {
            Some(labels) => Ok((labels, places)),
            None => Err(Error::Internal(format!("the labels of dimension `{}` were lost", self.name))),
        }
    }
}
