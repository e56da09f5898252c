//! Expressions, aggregates and windows.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{TableReference, not_impl_err};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, Expr, Extension, LogicalPlan, ScalarUDF};
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::logical_plan::from_proto::parse_expr;
use datafusion_proto::logical_plan::to_proto::serialize_expr;
use datafusion_proto::protobuf::{FromProtoError, LogicalExprNode};
use prost::Message;
use quarray_engine::exec::AggregateSpec;
use quarray_engine::functions::{LabelTable, NearestLabel, aggregate_functions, scalar_functions};
use quarray_engine::kernel::{AggregateKind, MovingWindow, WindowKind};
use quarray_engine::logical::{GridWindow, GridWindowKind};

use super::cells::{axis_message, axis_of, missing};
use super::datasets::{Datasets, dataset_message};
use super::operators::{contents, with_prefix};
use super::{CodecError, message};

/// Reads and writes expressions of one process.
#[derive(Debug, Clone)]
pub struct Expressions {
    datasets: Datasets,
}

impl Expressions {
    /// Over the datasets of this process.
    pub fn new(datasets: Datasets) -> Self {
        Self { datasets }
    }

    /// The bytes of an expression.
    pub fn encode(&self, expression: &Expr) -> Result<Vec<u8>, CodecError> {
        let refused = |why: String| CodecError::NoWireForm { what: format!("the expression {expression}"), why };
        let bytes = serialize_expr(expression, self).map_err(|error| refused(error.to_string()))?.encode_to_vec();
        // Messages can be nested less deep where they are read than where they are written.
        LogicalExprNode::decode(bytes.as_slice()).map_err(|error| refused(error.to_string()))?;
        Ok(bytes)
    }

    /// The expression of these bytes.
    pub fn decode(&self, bytes: &[u8], context: &TaskContext) -> Result<Expr, CodecError> {
        let node = LogicalExprNode::decode(bytes)?;
        parse_expr(&node, context, self).map_err(|error| match error {
            FromProtoError::DataFusionError(error) => CodecError::from(error),
            other => CodecError::Malformed(other.to_string()),
        })
    }

    fn encode_all<'a>(&self, expressions: impl IntoIterator<Item = &'a Expr>) -> Result<Vec<Vec<u8>>, CodecError> {
        expressions.into_iter().map(|expression| self.encode(expression)).collect()
    }

    /// The expressions of a list.
    pub fn decode_all(&self, all: &[Vec<u8>], context: &TaskContext) -> Result<Vec<Expr>, CodecError> {
        all.iter().map(|bytes| self.decode(bytes, context)).collect()
    }

    /// The message of group keys.
    pub fn keys(&self, keys: &[Expr]) -> Result<Vec<Vec<u8>>, CodecError> {
        self.encode_all(keys)
    }

    /// The message of an aggregate.
    pub fn aggregate(&self, spec: &AggregateSpec) -> Result<message::Aggregate, CodecError> {
        let (kind, parameter) = kind_number(&spec.kind);
        let filter = spec.filter.as_ref().map(|filter| self.encode(filter)).transpose()?;
        Ok(message::Aggregate { kind, parameter, arguments: self.encode_all(&spec.arguments)?, filter })
    }

    /// The aggregate of a message.
    pub fn aggregate_of(
        &self,
        aggregate: &message::Aggregate,
        context: &TaskContext,
    ) -> Result<AggregateSpec, CodecError> {
        let kind = kind_of(aggregate.kind, aggregate.parameter)?;
        let arguments = self.decode_all(&aggregate.arguments, context)?;
        let filter = aggregate.filter.as_ref().map(|filter| self.decode(filter, context)).transpose()?;
        Ok(AggregateSpec { kind, arguments, filter })
    }

    /// The message of a window.
    pub fn window(&self, window: &GridWindow) -> Result<message::Window, CodecError> {
        let (mut grouped, mut moving) = (None, None);
        match &window.kind {
            GridWindowKind::Grouped { keys, aggregate } => {
                let aggregate = Some(self.aggregate(aggregate)?);
                grouped = Some(message::Grouped { keys: self.encode_all(keys)?, aggregate });
            }
            GridWindowKind::Moving { window, argument, axis } => {
                let (kind, ddof) = window_number(window.kind);
                moving = Some(message::Moving {
                    kind,
                    ddof: u32::from(ddof),
                    from: window.from as i64,
                    to: window.to as i64,
                    least: window.least as u64,
                    argument: self.encode(argument)?,
                    axis: *axis as u32,
                });
            }
        }
        Ok(message::Window { name: window.name.clone(), grouped, moving })
    }

    /// The window of a message, over a table of so many axes.
    pub fn window_of(
        &self,
        window: &message::Window,
        rank: usize,
        context: &TaskContext,
    ) -> Result<GridWindow, CodecError> {
        let kind = match (&window.grouped, &window.moving) {
            (Some(grouped), None) => {
                let aggregate = grouped.aggregate.as_ref().ok_or_else(|| missing("an aggregate"))?;
                let keys = self.decode_all(&grouped.keys, context)?;
                GridWindowKind::Grouped { keys, aggregate: self.aggregate_of(aggregate, context)? }
            }
            (None, Some(moving)) => {
                let wrong = |_| CodecError::Malformed(format!("a window from {} to {}", moving.from, moving.to));
                let kind = window_kind_of(moving.kind, moving.ddof)?;
                let (from, to) =
                    (isize::try_from(moving.from).map_err(wrong)?, isize::try_from(moving.to).map_err(wrong)?);
                let least = usize::try_from(moving.least).map_err(wrong)?;
                let axis = moving.axis as usize;
                if axis >= rank || from > to {
                    return Err(CodecError::Malformed(format!("a window from {from} to {to} along axis {axis}")));
                }
                let window = MovingWindow { kind, from, to, least };
                GridWindowKind::Moving { window, argument: self.decode(&moving.argument, context)?, axis }
            }
            _ => return Err(missing("the kind of a window")),
        };
        Ok(GridWindow { name: window.name.clone(), kind })
    }

    /// The state of a function, where it has any: the labels that `nearest` means.
    pub fn encode_function(&self, function: &ScalarUDF, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        let Some(nearest) = function.inner().downcast_ref::<NearestLabel>() else { return Ok(()) };
        let Some(table) = nearest.table() else {
            let why = "its labels are not known before it runs".to_string();
            return Err(CodecError::NoWireForm { what: "nearest".to_string(), why });
        };
        let dataset = Some(dataset_message(&table.dataset, &[])?);
        let axis = Some(axis_message(&table.dataset, &table.axis)?);
        with_prefix(&message::Labels { dataset, axis }, buffer);
        Ok(())
    }

    /// A function with its state, or one of ours that whoever reads the plan did not register.
    pub fn decode_function(&self, name: &str, buffer: &[u8]) -> Result<Arc<ScalarUDF>, CodecError> {
        if buffer.is_empty() {
            let function = scalar_functions().into_iter().find(|function| function.name() == name);
            return function.map(Arc::new).ok_or_else(|| CodecError::Malformed(format!("function `{name}`")));
        }
        let contents = contents(buffer)?.ok_or_else(|| CodecError::Malformed(format!("function `{name}`")))?;
        let labels = message::Labels::decode(contents)?;
        let dataset = self.datasets.open(labels.dataset.as_ref().ok_or_else(|| missing("a dataset"))?)?;
        let axis = axis_of(labels.axis.as_ref().ok_or_else(|| missing("an axis"))?, &dataset)?;
        let table = LabelTable::new(dataset, axis)?;
        Ok(Arc::new(ScalarUDF::from(NearestLabel::of(Arc::new(table)))))
    }
}

/// One of our aggregates that whoever reads the plan did not register.
pub fn aggregate_function(name: &str) -> Result<Arc<AggregateUDF>, CodecError> {
    let function = aggregate_functions().into_iter().find(|function| function.name() == name);
    function.map(Arc::new).ok_or_else(|| CodecError::Malformed(format!("aggregate `{name}`")))
}

/// The number of an aggregate on the wire, and its parameter.
fn kind_number(kind: &AggregateKind) -> (u32, u64) {
    match *kind {
        AggregateKind::Count => (1, 0),
        AggregateKind::CountAll => (2, 0),
        AggregateKind::Sum => (3, 0),
        AggregateKind::Average => (4, 0),
        AggregateKind::Minimum => (5, 0),
        AggregateKind::Maximum => (6, 0),
        AggregateKind::Variance { ddof } => (7, u64::from(ddof)),
        AggregateKind::StandardDeviation { ddof } => (8, u64::from(ddof)),
        AggregateKind::ArgMinimum => (9, 0),
        AggregateKind::ArgMaximum => (10, 0),
        AggregateKind::First => (11, 0),
        AggregateKind::Last => (12, 0),
        AggregateKind::Median => (13, 0),
        AggregateKind::Quantile { fraction } => (14, fraction),
        AggregateKind::Any => (15, 0),
        AggregateKind::All => (16, 0),
        AggregateKind::WeightedAverage => (17, 0),
    }
}

fn kind_of(number: u32, parameter: u64) -> Result<AggregateKind, CodecError> {
    let wrong = || CodecError::Malformed(format!("aggregate {number} of {parameter}"));
    let ddof = || u8::try_from(parameter).ok().filter(|&ddof| ddof <= 1).ok_or_else(wrong);
    Ok(match number {
        1 => AggregateKind::Count,
        2 => AggregateKind::CountAll,
        3 => AggregateKind::Sum,
        4 => AggregateKind::Average,
        5 => AggregateKind::Minimum,
        6 => AggregateKind::Maximum,
        7 => AggregateKind::Variance { ddof: ddof()? },
        8 => AggregateKind::StandardDeviation { ddof: ddof()? },
        9 => AggregateKind::ArgMinimum,
        10 => AggregateKind::ArgMaximum,
        11 => AggregateKind::First,
        12 => AggregateKind::Last,
        13 => AggregateKind::Median,
        14 if (0.0..=1.0).contains(&f64::from_bits(parameter)) => AggregateKind::Quantile { fraction: parameter },
        15 => AggregateKind::Any,
        16 => AggregateKind::All,
        17 => AggregateKind::WeightedAverage,
        _ => return Err(wrong()),
    })
}

/// The number of a window on the wire, and its degrees of freedom taken away.
fn window_number(kind: WindowKind) -> (u32, u8) {
    match kind {
        WindowKind::Sum => (1, 0),
        WindowKind::Average => (2, 0),
        WindowKind::Count => (3, 0),
        WindowKind::Minimum => (4, 0),
        WindowKind::Maximum => (5, 0),
        WindowKind::Shift => (6, 0),
        WindowKind::StandardDeviation { ddof } => (7, ddof),
        WindowKind::Variance { ddof } => (8, ddof),
    }
}

fn window_kind_of(number: u32, parameter: u32) -> Result<WindowKind, CodecError> {
    let wrong = || CodecError::Malformed(format!("window {number} of {parameter}"));
    let ddof = || u8::try_from(parameter).ok().filter(|&ddof| ddof <= 1).ok_or_else(wrong);
    Ok(match number {
        1 => WindowKind::Sum,
        2 => WindowKind::Average,
        3 => WindowKind::Count,
        4 => WindowKind::Minimum,
        5 => WindowKind::Maximum,
        6 => WindowKind::Shift,
        7 => WindowKind::StandardDeviation { ddof: ddof()? },
        8 => WindowKind::Variance { ddof: ddof()? },
        _ => return Err(wrong()),
    })
}

/// Only expressions pass here, and in them only functions are ours.
impl LogicalExtensionCodec for Expressions {
    fn try_decode(&self, _: &[u8], _: &[LogicalPlan], _: &TaskContext) -> DataFusionResult<Extension> {
        not_impl_err!("a plan in an expression")
    }

    fn try_encode(&self, _: &Extension, _: &mut Vec<u8>) -> DataFusionResult<()> {
        not_impl_err!("a plan in an expression")
    }

    fn try_decode_table_provider(
        &self,
        _: &[u8],
        _: &TableReference,
        _: SchemaRef,
        _: &TaskContext,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        not_impl_err!("a table in an expression")
    }

    fn try_encode_table_provider(
        &self,
        _: &TableReference,
        _: Arc<dyn TableProvider>,
        _: &mut Vec<u8>,
    ) -> DataFusionResult<()> {
        not_impl_err!("a table in an expression")
    }

    fn try_decode_udf(&self, name: &str, buffer: &[u8]) -> DataFusionResult<Arc<ScalarUDF>> {
        Ok(self.decode_function(name, buffer)?)
    }

    fn try_encode_udf(&self, function: &ScalarUDF, buffer: &mut Vec<u8>) -> DataFusionResult<()> {
        Ok(self.encode_function(function, buffer)?)
    }

    fn try_decode_udaf(&self, name: &str, _: &[u8]) -> DataFusionResult<Arc<AggregateUDF>> {
        Ok(aggregate_function(name)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_and_windows_come_back() -> Result<(), CodecError> {
        let mut kinds = vec![AggregateKind::quantile(0.25), AggregateKind::Variance { ddof: 1 }];
        kinds.push(AggregateKind::StandardDeviation { ddof: 1 });
        for number in (1..=17).filter(|&number| number != 14) {
            kinds.push(kind_of(number, 0)?);
        }
        for kind in kinds {
            let (number, parameter) = kind_number(&kind);
            assert_eq!(kind_of(number, parameter)?, kind);
        }
        for number in 1..=8 {
            let kind = window_kind_of(number, 0)?;
            assert_eq!(window_number(kind), (number, 0));
        }
        assert_eq!(window_kind_of(7, 1)?, WindowKind::StandardDeviation { ddof: 1 });
        Ok(())
    }

    #[test]
    fn numbers_of_nothing_are_refused() {
        for (number, parameter) in [(0, 0), (18, 0), (7, 2), (8, 300), (14, 2.0f64.to_bits()), (14, u64::MAX)] {
            assert!(matches!(kind_of(number, parameter), Err(CodecError::Malformed(_))), "{number} {parameter}");
        }
        for (number, parameter) in [(0, 0), (9, 0), (7, 2)] {
            assert!(matches!(window_kind_of(number, parameter), Err(CodecError::Malformed(_))), "{number}");
        }
    }
}
