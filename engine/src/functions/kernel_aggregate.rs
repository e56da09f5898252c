//! Aggregates that DataFusion lacks, over rows, by the kernels that compute them on the grid: one answer, one code.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;
use parking_lot::Mutex;

use crate::exec::kernel_error;
use crate::kernel::{self, AggregateKind, AxisGroups, BlockLayout, Cells};

/// An aggregate function by a kernel.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct KernelAggregate {
    name: &'static str,
    arguments: usize,
    kind: AggregateKind,
    /// Whether a last argument, a constant, tells the fraction of a quantile.
    has_fraction: bool,
    signature: Signature,
}

/// Every function: `quantile(x, q)`, `first(x, key)`, `last(x, key)`, `weighted_avg(x, weight)`.
pub fn all() -> Vec<KernelAggregate> {
    let function = |name, arguments: usize, kind, has_fraction: bool| {
        let signature = Signature::any(arguments + usize::from(has_fraction), Volatility::Immutable);
        KernelAggregate { name, arguments, kind, has_fraction, signature }
    };
    vec![
        function("quantile", 1, AggregateKind::Median, true),
        function("first", 2, AggregateKind::First, false),
        function("last", 2, AggregateKind::Last, false),
        function("weighted_avg", 2, AggregateKind::WeightedAverage, false),
    ]
}

impl AggregateUDFImpl for KernelAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match self.kind.result_type(&arguments[..self.arguments]) {
            Ok(data_type) => Ok(data_type),
            Err(_) => plan_err!("{} cannot take {:?}", self.name, &arguments[..self.arguments]),
        }
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let kind = match self.has_fraction {
            true => AggregateKind::quantile(fraction_of(&arguments)?),
            false => self.kind.clone(),
        };
        let fields = &arguments.expr_fields[..self.arguments];
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        let state = kind.accumulator(&types, 1).map_err(kernel_error)?;
        Ok(Box::new(KernelAccumulator { state: Mutex::new(state), arguments: self.arguments }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let fields = &arguments.input_fields[..self.arguments];
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        let state = self.kind.accumulator(&types, 0).map_err(kernel_error)?;
        let fields = state.state_types().into_iter().enumerate();
        Ok(fields
            .map(|(k, data_type)| Arc::new(Field::new(format!("{}[{k}]", arguments.name), data_type, true)))
            .collect())
    }
}

fn fraction_of(arguments: &AccumulatorArgs) -> Result<f64> {
    let literal = arguments.exprs.last().and_then(|expression| expression.downcast_ref::<Literal>());
    let value = literal.map(|literal| literal.value().cast_to(&DataType::Float64)).transpose()?;
    match value {
        Some(ScalarValue::Float64(Some(fraction))) if (0.0..=1.0).contains(&fraction) => Ok(fraction),
        _ => exec_err!("the fraction of a quantile must be a constant between 0 and 1"),
    }
}

#[derive(Debug)]
struct KernelAccumulator {
    state: Mutex<Box<dyn kernel::Accumulator>>,
    arguments: usize,
}

impl Accumulator for KernelAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let cells: Vec<Cells<'_>> =
            values[..self.arguments].iter().map(|values| Cells { values, nan_is_missing: false }).collect();
        self.state.get_mut().update(&one_group(values[0].len()), &cells, None).map_err(kernel_error)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = self.state.get_mut().finish(0..1).map_err(kernel_error)?;
        ScalarValue::try_from_array(&result, 0)
    }

    fn size(&self) -> usize {
        self.state.lock().memory_size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let states = self.state.get_mut().state().map_err(kernel_error)?;
        states.iter().map(|state| ScalarValue::try_from_array(state, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.state.get_mut().merge(&one_group(states[0].len()), states).map_err(kernel_error)
    }
}

fn one_group(cells: usize) -> BlockLayout {
    BlockLayout::new(vec![cells], vec![AxisGroups::Collapsed])
}
