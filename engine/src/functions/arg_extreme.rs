//! `arg_min(label, value[, order])` and `arg_max(…)`: the label of the row with the extreme value; of several, the one
//! with the least `order`.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, TypeSignature, Volatility};

/// One of the two functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ArgExtreme {
    name: &'static str,
    greatest: bool,
    signature: Signature,
}

impl ArgExtreme {
    /// `arg_min`
    pub fn minimum() -> Self {
        Self::new("arg_min", false)
    }

    /// `arg_max`
    pub fn maximum() -> Self {
        Self::new("arg_max", true)
    }

    fn new(name: &'static str, greatest: bool) -> Self {
        let signature = Signature::one_of(vec![TypeSignature::Any(2), TypeSignature::Any(3)], Volatility::Immutable);
        Self { name, greatest, signature }
    }
}

impl AggregateUDFImpl for ArgExtreme {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let label = &arguments[0];
        let field = Field::new(self.name, label.data_type().clone(), true);
        Ok(Arc::new(field.with_metadata(label.metadata().clone())))
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let nulls = arguments.expr_fields.iter().map(|field| ScalarValue::try_from(field.data_type()));
        Ok(Box::new(ArgExtremeAccumulator { best: nulls.collect::<Result<_>>()?, greatest: self.greatest }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let fields = arguments.input_fields.iter().enumerate();
        let state = |(k, field): (usize, &FieldRef)| {
            Arc::new(Field::new(format!("{}[{k}]", arguments.name), field.data_type().clone(), true))
        };
        Ok(fields.map(state).collect())
    }
}

/// The best row so far: its label, value and order; a null value when there is none.
#[derive(Debug)]
struct ArgExtremeAccumulator {
    best: Vec<ScalarValue>,
    greatest: bool,
}

impl ArgExtremeAccumulator {
    fn beats(&self, row: &[ScalarValue]) -> bool {
        if row[1].is_null() {
            return false;
        }
        if self.best[1].is_null() {
            return true;
        }
        let by_value = row[1].partial_cmp(&self.best[1]).unwrap_or(Ordering::Equal);
        let by_value = if self.greatest { by_value } else { by_value.reverse() };
        let by_order = row.get(2).and_then(|order| order.partial_cmp(&self.best[2])).unwrap_or(Ordering::Equal);
        by_value.then(by_order.reverse()) == Ordering::Greater
    }
}

impl Accumulator for ArgExtremeAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for index in 0..values[0].len() {
            let row =
                values.iter().map(|column| ScalarValue::try_from_array(column, index)).collect::<Result<Vec<_>>>()?;
            if self.beats(&row) {
                self.best = row;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.best[0].clone())
    }

    fn size(&self) -> usize {
        self.best.iter().map(ScalarValue::size).sum::<usize>() + size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.best.clone())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}
