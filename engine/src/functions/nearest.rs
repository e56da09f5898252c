//! `nearest_label(value, 'table', 'dimension'[, tolerance])`: the label of a dimension that is nearest to a value.
//!
//! `e.lat = nearest(s.lat)` in a join is bound to `e.lat = nearest_label(s.lat, …)`, an ordinary equality.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Float64Type};
use arrow::datatypes::{Field, FieldRef};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use parking_lot::RwLock;

use crate::scan::{Axis, LabelledDataset};

/// Labels of a dimension of a dataset, those of the cells that are read.
#[derive(Debug, Clone)]
pub struct LabelTable {
    /// The dataset.
    pub dataset: Arc<LabelledDataset>,
    /// The dimension, and which of its cells are read.
    pub axis: Axis,
    /// The labels.
    pub labels: ArrayRef,
}

impl LabelTable {
    /// The labels of the cells of an axis that are read.
    pub fn new(dataset: Arc<LabelledDataset>, axis: Axis) -> Result<Self> {
        let labels = axis.selected_labels()?;
        Ok(Self { dataset, axis, labels })
    }
}

/// Labels by table and dimension.
pub type LabelTables = Arc<RwLock<HashMap<(String, String), Arc<LabelTable>>>>;

/// The function.
#[derive(Debug)]
pub struct NearestLabel {
    known: Known,
    signature: Signature,
}

/// The labels that the function knows.
#[derive(Debug)]
enum Known {
    /// Those of all joins of a session: which of them a call means, its arguments tell.
    All(LabelTables),
    /// Those that one call means: calls are bound to them before they are planned, so that a plan holds what it needs.
    One(Arc<LabelTable>),
}

impl NearestLabel {
    /// The function over these labels.
    pub fn new(tables: LabelTables) -> Self {
        Self::knowing(Known::All(tables))
    }

    /// The function over the labels of one dimension.
    pub fn of(table: Arc<LabelTable>) -> Self {
        Self::knowing(Known::One(table))
    }

    fn knowing(known: Known) -> Self {
        let signature = Signature::one_of(vec![TypeSignature::Any(3), TypeSignature::Any(4)], Volatility::Immutable);
        Self { known, signature }
    }

    /// The labels, where they are those of one dimension.
    pub fn table(&self) -> Option<&Arc<LabelTable>> {
        match &self.known {
            Known::All(_) => None,
            Known::One(table) => Some(table),
        }
    }

    fn labels(&self, table: Option<&ScalarValue>, dimension: Option<&ScalarValue>) -> Result<Arc<LabelTable>> {
        let tables = match &self.known {
            Known::All(tables) => tables,
            Known::One(table) => return Ok(Arc::clone(table)),
        };
        let (Some(Some(Some(table))), Some(Some(Some(dimension)))) =
            (table.map(ScalarValue::try_as_str), dimension.map(ScalarValue::try_as_str))
        else {
            return plan_err!("nearest stands only where it is compared with a dimension: e.lat = nearest(s.lat)");
        };
        match tables.read().get(&(table.to_string(), dimension.to_string())) {
            Some(table) => Ok(Arc::clone(table)),
            None => plan_err!("no labels of {table}.{dimension}"),
        }
    }
}

impl PartialEq for NearestLabel {
    fn eq(&self, other: &Self) -> bool {
        match (&self.known, &other.known) {
            (Known::All(tables), Known::All(others)) => Arc::ptr_eq(tables, others),
            (Known::One(table), Known::One(other)) => Arc::ptr_eq(table, other),
            _ => false,
        }
    }
}

impl Eq for NearestLabel {}

impl std::hash::Hash for NearestLabel {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        "nearest_label".hash(state);
    }
}

impl ScalarUDFImpl for NearestLabel {
    fn name(&self) -> &str {
        "nearest_label"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        datafusion::common::internal_err!("nearest_label tells its type by fields")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let table = self.labels(arguments.scalar_arguments[1], arguments.scalar_arguments[2])?;
        Ok(Arc::new(Field::new("nearest_label", table.labels.data_type().clone(), true)))
    }

    fn simplify(&self, arguments: Vec<Expr>, _context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let (Known::All(_), [_, Expr::Literal(table, _), Expr::Literal(dimension, _), ..]) =
            (&self.known, arguments.as_slice())
        else {
            return Ok(ExprSimplifyResult::Original(arguments));
        };
        let bound = ScalarUDF::from(Self::of(self.labels(Some(table), Some(dimension))?));
        Ok(ExprSimplifyResult::Simplified(bound.call(arguments)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = |place: usize| match arguments.args.get(place) {
            Some(ColumnarValue::Scalar(value)) => Some(value),
            _ => None,
        };
        let labels = Arc::clone(&self.labels(constant(1), constant(2))?.labels);
        let tolerance = match constant(3).map(|value| value.cast_to(&DataType::Float64)).transpose()? {
            Some(ScalarValue::Float64(Some(tolerance))) => tolerance,
            None => f64::INFINITY,
            Some(other) => return exec_err!("the tolerance of nearest must be a number, found {other}"),
        };
        let values = arguments.args[0].to_array(arguments.number_rows)?;
        let places = nearest_places(&values, &labels, tolerance)?;
        Ok(ColumnarValue::Array(take(&labels, &places, None)?))
    }
}

/// The place of the nearest label of each value: the larger of two equally near ones, nothing beyond the tolerance.
pub fn nearest_places(values: &ArrayRef, labels: &ArrayRef, tolerance: f64) -> Result<UInt32Array> {
    let wanted = as_numbers(&cast(values, labels.data_type())?)?;
    let known = as_numbers(labels)?;
    let known = known.as_primitive::<Float64Type>();
    let mut order: Vec<u32> = (0..known.len() as u32).filter(|&place| known.is_valid(place as usize)).collect();
    order.sort_by(|&a, &b| known.value(a as usize).total_cmp(&known.value(b as usize)));
    let label = |rank: usize| known.value(order[rank] as usize);
    let nearest = |value: f64| {
        let above = order.partition_point(|&place| known.value(place as usize) < value);
        let candidates = [above.checked_sub(1), (above < order.len()).then_some(above)];
        let best = candidates.into_iter().flatten().min_by(|&a, &b| {
            let (far, near) = ((label(a) - value).abs(), (label(b) - value).abs());
            far.total_cmp(&near).then(label(b).total_cmp(&label(a)))
        })?;
        ((label(best) - value).abs() <= tolerance).then(|| order[best])
    };
    let wanted = wanted.as_primitive::<Float64Type>();
    Ok(wanted.iter().map(|value| value.filter(|value| !value.is_nan()).and_then(nearest)).collect())
}

fn as_numbers(values: &ArrayRef) -> Result<ArrayRef> {
    match values.data_type() {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Ok(cast(
            &cast(values, &DataType::Int64).or_else(|_| cast(&cast(values, &DataType::Int32)?, &DataType::Int64))?,
            &DataType::Float64,
        )?),
        other if other.is_numeric() => Ok(cast(values, &DataType::Float64)?),
        other => exec_err!("nearest takes labels that are numbers or times, found {other}"),
    }
}
