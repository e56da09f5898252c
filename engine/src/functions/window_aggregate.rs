//! `window_avg(x, min_count)` and kin: moving windows that are complete or missing.
//!
//! The windows of `t2m[time-6:time]`. A window with fewer than `min_count` present cells is missing; each window is
//! folded by itself, never by adding what enters and subtracting what leaves, which loses digits
//! (`[1e16, 1, 1, 1]` summed two by two would end in 0).

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;

use crate::exec::kernel_error;
use crate::kernel::{AggregateKind, AxisGroups, BlockLayout, Cells};

/// The aggregates that have a window function, under the name `window_…`.
pub const WINDOW_AGGREGATES: &[(&str, AggregateKind)] = &[
    ("avg", AggregateKind::Average),
    ("sum", AggregateKind::Sum),
    ("min", AggregateKind::Minimum),
    ("max", AggregateKind::Maximum),
    ("count", AggregateKind::Count),
    ("stddev", AggregateKind::StandardDeviation { ddof: 1 }),
    ("stddev_pop", AggregateKind::StandardDeviation { ddof: 0 }),
    ("var", AggregateKind::Variance { ddof: 1 }),
    ("var_pop", AggregateKind::Variance { ddof: 0 }),
];

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WindowAggregate {
    name: String,
    kind: AggregateKind,
    signature: Signature,
}

/// Every function.
pub fn all() -> Vec<WindowAggregate> {
    let function = |(name, kind): &(&str, AggregateKind)| WindowAggregate {
        name: format!("window_{name}"),
        kind: kind.clone(),
        signature: Signature::any(2, Volatility::Immutable),
    };
    WINDOW_AGGREGATES.iter().map(function).collect()
}

impl AggregateUDFImpl for WindowAggregate {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match self.kind.result_type(&arguments[..1]) {
            Ok(data_type) => Ok(data_type),
            Err(_) => plan_err!("{} cannot take {}", self.name, arguments[0]),
        }
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let literal = arguments.exprs[1].downcast_ref::<Literal>();
        let count = literal.map(|literal| literal.value().cast_to(&DataType::UInt64)).transpose()?;
        let Some(ScalarValue::UInt64(Some(min_count))) = count else {
            return exec_err!("the least count of {} must be a constant", self.name);
        };
        let data_type = arguments.expr_fields[0].data_type().clone();
        Ok(Box::new(WindowAccumulator { kind: self.kind.clone(), data_type, min_count, batches: VecDeque::new() }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = Field::new_list_field(arguments.input_fields[0].data_type().clone(), true);
        Ok(vec![Arc::new(Field::new_list(arguments.name, field, true))])
    }
}

/// The values of the window, in order.
#[derive(Debug)]
struct WindowAccumulator {
    kind: AggregateKind,
    data_type: DataType,
    min_count: u64,
    batches: VecDeque<ArrayRef>,
}

impl Accumulator for WindowAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if !values[0].is_empty() {
            self.batches.push_back(Arc::clone(&values[0]));
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut left = values[0].len();
        while let Some(first) = self.batches.pop_front() {
            if first.len() > left {
                self.batches.push_front(first.slice(left, first.len() - left));
                return Ok(());
            }
            left -= first.len();
            if left == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let present: usize = self.batches.iter().map(|batch| batch.len() - batch.null_count()).sum();
        let mut result = self.kind.accumulator(std::slice::from_ref(&self.data_type), 1).map_err(kernel_error)?;
        for values in &self.batches {
            let layout = BlockLayout::new(vec![values.len()], vec![AxisGroups::Collapsed]);
            result.update(&layout, &[Cells { values, nan_is_missing: false }], None).map_err(kernel_error)?;
        }
        let value = ScalarValue::try_from_array(&result.finish(0..1).map_err(kernel_error)?, 0)?;
        match (present as u64) < self.min_count {
            true => ScalarValue::try_from(&value.data_type()),
            false => Ok(value),
        }
    }

    fn size(&self) -> usize {
        self.batches.iter().map(|batch| batch.get_array_memory_size()).sum()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        exec_err!("a window's aggregate is used in a window only")
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        exec_err!("a window's aggregate is used in a window only")
    }
}
