//! Brackets: labels and positions along dimensions → the positions that are read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, Scalar};
use arrow::compute::cast;
use arrow::compute::kernels::cmp::{eq, gt_eq, lt_eq};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident};
use quarray_lang::syntax::Selector;

use super::names::span_of;
use super::pipeline::Pipeline;
use super::{Binder, plain_error};
use crate::array::Positions;
use crate::error::Error;
use crate::functions::{nearest_places, partial_time};
use crate::scan::Axis;

impl Binder<'_> {
    /// The pipeline with the cells that selectors choose.
    pub(super) fn select_cells(
        &self,
        mut pipeline: Pipeline,
        selectors: &[(Ident, Selector)],
    ) -> Result<Pipeline, Error> {
        for selected in selectors {
            self.check_bracket(&pipeline, selected)?;
            let (ident, selector) = selected;
            let Some(axis) = pipeline.dimension(ident).cloned() else {
                return Err(self.unknown_dimension(&pipeline, ident));
            };
            let chosen = self.choose(&axis, selector, ident)?;
            if let Some(place) = pipeline.axes.iter_mut().find(|known| known.name == axis.name) {
                *place = chosen;
            }
        }
        Ok(pipeline)
    }

    fn choose(&self, axis: &Axis, selector: &Selector, ident: &Ident) -> Result<Axis, Error> {
        let count = axis.count() as i64;
        match selector {
            Selector::Position(expression) => {
                let position = self.integer(expression)?;
                let place = if position < 0 { position + count } else { position };
                if !(0..count).contains(&place) {
                    let message = format!("position {position} is outside {}, which has {count} cells", axis.name);
                    return Err(self.error_at(span_of(expression), message));
                }
                Ok(axis.clone().chosen(axis.positions.slice(place as u64, 1, 1), true))
            }
            Selector::PositionRange { start, stop, step } => {
                let bound = |expression: &Option<Expr>, default: i64| match expression {
                    None => Ok::<_, Error>(default),
                    Some(expression) => {
                        let position = self.integer(expression)?;
                        Ok(if position < 0 { (position + count).max(0) } else { position.min(count) })
                    }
                };
                let (start, stop, step) = (bound(start, 0)?, bound(stop, count)?, self.step(step.as_ref())?);
                let cells = (stop - start).max(0) as u64;
                let positions = axis.positions.slice(start.min(count) as u64, cells.div_ceil(step), step);
                Ok(axis.clone().chosen(positions, false))
            }
            Selector::Label(expression) => self.label(axis, expression),
            Selector::Labels(expressions) => self.labels(axis, expressions),
            Selector::LabelRange { low, high, step } => {
                let positions = self.range(axis, low.as_ref(), high.as_ref(), ident)?;
                let step = self.step(step.as_ref())?;
                let positions = positions.slice(0, positions.count().div_ceil(step), step);
                Ok(axis.clone().chosen(positions, false))
            }
        }
    }

    fn label(&self, axis: &Axis, expression: &Expr) -> Result<Axis, Error> {
        if let Some((name, arguments)) = call_of(expression) {
            match name.as_str() {
                "nearest" => return self.nearest(axis, expression, &arguments),
                "linear" => return self.linear(axis, expression, &arguments),
                _ => {}
            }
        }
        let value = self.constant(expression)?;
        let exact = self.matching(axis, &value, expression)?;
        let chosen = match time_text(axis, &value) {
            Some((low, high)) => micros_between(axis, low, high)?,
            None => exact.clone(),
        };
        match (chosen.count(), exact.count()) {
            (0, _) => Err(self.no_label(axis, &value, expression)),
            (1, 1) => Ok(axis.clone().chosen(chosen, true)),
            _ => Ok(axis.clone().chosen(chosen, false)),
        }
    }

    fn labels(&self, axis: &Axis, expressions: &[Expr]) -> Result<Axis, Error> {
        let mut chosen: Vec<u64> = Vec::new();
        for expression in expressions {
            let one = self.label(axis, expression)?;
            if one.fraction.is_some() {
                let message =
                    format!("linear stands alone, as in {} = {expression}: it is no label of a list", axis.name);
                return Err(self.error_at(span_of(expression), message));
            }
            chosen.extend(one.positions.iter());
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(axis.clone().chosen(Positions::of(chosen), false))
    }

    fn range(&self, axis: &Axis, low: Option<&Expr>, high: Option<&Expr>, ident: &Ident) -> Result<Positions, Error> {
        let constant = |expression: Option<&Expr>| expression.map(|expression| self.constant(expression)).transpose();
        let (first, second) = (constant(low)?, constant(high)?);
        if is_time(axis) {
            let bounds = [&first, &second].map(|value| value.as_ref().map(|value| time_text(axis, value)));
            if bounds.iter().all(|bound| !matches!(bound, Some(None))) {
                let [first, second] = bounds.map(Option::flatten);
                let starts = [first.as_ref(), second.as_ref()].map(|bound| bound.map(|bound| bound.0));
                let ends = [first.as_ref(), second.as_ref()].map(|bound| bound.map(|bound| bound.1));
                let is_swapped = matches!(starts, [Some(a), Some(b)] if a > b);
                let (low, high) = if is_swapped { (starts[1], ends[0]) } else { (starts[0], ends[1]) };
                return micros_between(axis, low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX));
            }
        }
        let span = low.or(high).map_or(ident.span, span_of);
        let typed = |value: Option<ScalarValue>| value.map(|value| self.as_label(axis, &value, span)).transpose();
        let (mut low, mut high) = (typed(first)?, typed(second)?);
        if let (Some(a), Some(b)) = (&low, &high)
            && a.partial_cmp(b) == Some(std::cmp::Ordering::Greater)
        {
            std::mem::swap(&mut low, &mut high);
        }
        let labels = axis.selected_labels()?;
        let mut keep = BooleanArray::from(vec![true; labels.len()]);
        let compare = |value: &ScalarValue, above: bool| -> Result<BooleanArray, Error> {
            let value = Scalar::new(value.to_array()?);
            let result = if above { gt_eq(&labels, &value) } else { lt_eq(&labels, &value) };
            Ok(result.map_err(datafusion::error::DataFusionError::from)?)
        };
        for (bound, above) in [(&low, true), (&high, false)] {
            if let Some(bound) = bound {
                keep = arrow::compute::and(&keep, &compare(bound, above)?)
                    .map_err(datafusion::error::DataFusionError::from)?;
            }
        }
        Ok(axis.positions.filter(|selected| keep.is_valid(selected as usize) && keep.value(selected as usize)))
    }

    fn nearest(&self, axis: &Axis, expression: &Expr, arguments: &[Expr]) -> Result<Axis, Error> {
        let (value, tolerance) = match arguments {
            [value] => (value, f64::INFINITY),
            [value, tolerance] => (value, self.number(tolerance)?),
            _ => return Err(self.error_at(span_of(expression), "nearest takes a value and, if need be, a tolerance")),
        };
        if axis.field.metadata().contains_key("quarray.unlabelled") {
            let message = format!("{} has no labels: choose a position, as in {}[0]", axis.name, axis.name);
            return Err(self.error_at(span_of(expression), message));
        }
        let constant = self.constant(value)?;
        let wanted = match time_text(axis, &constant) {
            Some((start, _)) => from_micros(axis, start)?,
            None => self.as_label(axis, &constant, span_of(value))?.to_array()?,
        };
        let labels = axis.selected_labels()?;
        if labels.is_empty() {
            return Err(self.error_at(span_of(expression), format!("no label of {}: it has none at all", axis.name)));
        }
        let places = nearest_places(&wanted, &labels, tolerance)?;
        if places.is_null(0) {
            let message = format!("no label of {} within {tolerance} of {constant}", axis.name);
            return Err(self.error_at(span_of(expression), message));
        }
        let place = u64::from(places.value(0));
        Ok(axis.clone().chosen(axis.positions.slice(place, 1, 1), true))
    }

    /// The two labels around a value, and how far it is from the first to the second.
    fn linear(&self, axis: &Axis, expression: &Expr, arguments: &[Expr]) -> Result<Axis, Error> {
        let [value] = arguments else {
            return Err(self.error_at(span_of(expression), "linear takes one value"));
        };
        let constant = self.constant(value)?;
        let micros = time_text(axis, &constant).map(|(start, _)| from_micros(axis, start)).transpose()?;
        let wanted = match micros {
            Some(at) => at,
            None if axis.labels.data_type().is_integer() => constant.cast_to(&DataType::Float64)?.to_array()?,
            None => self.as_label(axis, &constant, span_of(value))?.to_array()?,
        };
        let (Some((low, high, fraction)), false) = (bracket(&wanted, &axis.selected_labels()?)?, axis.count() == 0)
        else {
            let message = format!("{constant} is outside the labels of {}: linear needs one on either side", axis.name);
            return Err(self.error_at(span_of(expression), message));
        };
        let positions = [low, high].map(|place| axis.positions.source(place));
        let mut chosen = if fraction == 0.0 { vec![positions[0]] } else { positions.to_vec() };
        let ascending = chosen.is_sorted();
        chosen.sort_unstable();
        let mut linear = axis.clone().chosen(Positions::of(chosen), true);
        linear.fraction = (fraction != 0.0).then_some(if ascending { fraction } else { 1.0 - fraction });
        Ok(linear)
    }

    /// The positions whose label is the value.
    fn matching(&self, axis: &Axis, value: &ScalarValue, expression: &Expr) -> Result<Positions, Error> {
        let label = match time_text(axis, value) {
            Some((start, _)) => Scalar::new(from_micros(axis, start)?),
            None => Scalar::new(self.as_label(axis, value, span_of(expression))?.to_array()?),
        };
        let labels = axis.selected_labels()?;
        let equal = eq(&labels, &label).map_err(datafusion::error::DataFusionError::from)?;
        Ok(axis.positions.filter(|selected| equal.is_valid(selected as usize) && equal.value(selected as usize)))
    }

    /// A constant as a label of the axis.
    fn as_label(
        &self,
        axis: &Axis,
        value: &ScalarValue,
        span: datafusion::sql::sqlparser::tokenizer::Span,
    ) -> Result<ScalarValue, Error> {
        let wrong = || {
            let message = format!("{} has labels of type {}, found {value}", axis.name, axis.labels.data_type());
            self.error_at(span, message)
        };
        let is_text =
            |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
        if is_text(&value.data_type()) != is_text(axis.labels.data_type()) && !is_time(axis) {
            return Err(wrong());
        }
        let cast = value.cast_to(axis.labels.data_type()).map_err(|_| wrong())?;
        if axis.labels.data_type().is_integer()
            && cast.cast_to(&DataType::Float64).ok() != value.cast_to(&DataType::Float64).ok()
        {
            // 1.5 is no label of whole numbers; as a bound it still compares.
            return value.cast_to(&DataType::Float64).map_err(|_| wrong()).map(|_| cast);
        }
        Ok(cast)
    }

    fn no_label(&self, axis: &Axis, value: &ScalarValue, expression: &Expr) -> Error {
        let labels = axis.selected_labels().ok();
        let text = |place: usize| {
            let labels = labels.as_ref().filter(|labels| place < labels.len());
            labels.and_then(|labels| arrow::util::display::array_value_to_string(labels, place).ok())
        };
        let count = axis.count() as usize;
        let ends = match (text(0), text(count.saturating_sub(1))) {
            (Some(first), Some(last)) => format!("; its {count} labels go from {first} to {last}"),
            _ => String::new(),
        };
        let nearest = self.nearest(axis, expression, std::slice::from_ref(expression)).ok();
        let nearest = nearest.and_then(|axis| axis.selected_labels().ok());
        let help = nearest.and_then(|label| arrow::util::display::array_value_to_string(&label, 0).ok());
        let help = help.map(|label| format!("the nearest is {label}: write nearest({expression})"));
        self.error_with(span_of(expression), format!("no label {value} in {}{ends}", axis.name), help)
    }

    fn step(&self, step: Option<&Expr>) -> Result<u64, Error> {
        match step {
            None => Ok(1),
            Some(expression) => match self.integer(expression)? {
                step if step > 0 => Ok(step as u64),
                step => Err(self.error_at(span_of(expression), format!("a step must be positive, found {step}"))),
            },
        }
    }

    /// The whole number that an expression is.
    pub(super) fn integer(&self, expression: &Expr) -> Result<i64, Error> {
        let value = self.constant(expression)?;
        match (value.data_type().is_integer(), value.cast_to(&DataType::Int64)) {
            (true, Ok(ScalarValue::Int64(Some(value)))) => Ok(value),
            _ => Err(self.error_at(span_of(expression), format!("expected a whole number, found {value}"))),
        }
    }

    fn number(&self, expression: &Expr) -> Result<f64, Error> {
        match self.constant(expression)?.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(Some(value))) => Ok(value),
            _ => Err(self.error_at(span_of(expression), format!("expected a number, found {expression}"))),
        }
    }

    /// The value of an expression without columns.
    pub(super) fn constant(&self, expression: &Expr) -> Result<ScalarValue, Error> {
        let wrong = |error: datafusion::error::DataFusionError| {
            self.error_at(
                span_of(expression),
                format!("expected a constant, found {expression} ({})", error.strip_backtrace()),
            )
        };
        let with_alias = datafusion::sql::sqlparser::ast::ExprWithAlias { expr: expression.clone(), alias: None };
        let schema = DFSchema::empty();
        let logical = self.state.create_logical_expr_from_sql_expr(with_alias, &schema).map_err(wrong)?;
        let physical = self.state.create_physical_expr(logical, &schema).map_err(wrong)?;
        let batch = datafusion::arrow::record_batch::RecordBatch::try_new_with_options(
            Arc::new(arrow::datatypes::Schema::empty()),
            Vec::new(),
            &arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(1)),
        );
        let batch = batch.map_err(|error| plain_error(error.to_string()))?;
        let value = physical.evaluate(&batch).and_then(|value| value.into_array(1)).map_err(wrong)?;
        ScalarValue::try_from_array(&value, 0).map_err(wrong)
    }
}

/// The time that a text tells, from and to (excluded) in microseconds, when the labels are times: `2020-01` is a month.
fn time_text(axis: &Axis, value: &ScalarValue) -> Option<(i64, i64)> {
    if !is_time(axis) {
        return None;
    }
    let text = value.try_as_str().flatten()?;
    partial_time(text, axis.field.metadata())
}

/// The places of the labels next below and above a value, and where between them it lies.
fn bracket(wanted: &ArrayRef, labels: &ArrayRef) -> Result<Option<(u64, u64, f64)>, Error> {
    let numbers = |values: &ArrayRef| -> Result<ArrayRef, Error> {
        let whole =
            if values.data_type().is_numeric() { Arc::clone(values) } else { crate::functions::micros_of(values)? };
        Ok(cast(&whole, &DataType::Float64).map_err(datafusion::error::DataFusionError::from)?)
    };
    let (wanted, labels) = (numbers(wanted)?, numbers(labels)?);
    let value = wanted.as_primitive::<arrow::datatypes::Float64Type>().value(0);
    let labels = labels.as_primitive::<arrow::datatypes::Float64Type>().values();
    let places = || 0..labels.len();
    let below = places().filter(|&k| labels[k] <= value).max_by(|&a, &b| labels[a].total_cmp(&labels[b]));
    let above = places().filter(|&k| labels[k] >= value).min_by(|&a, &b| labels[a].total_cmp(&labels[b]));
    Ok(below.zip(above).map(|(low, high)| {
        let width = labels[high] - labels[low];
        (low as u64, high as u64, if width == 0.0 { 0.0 } else { (value - labels[low]) / width })
    }))
}

/// Whether the labels of an axis are times.
pub(super) fn is_time(axis: &Axis) -> bool {
    matches!(axis.labels.data_type(), DataType::Timestamp(..) | DataType::Date32)
        || axis.field.metadata().contains_key("calendar")
}

/// The positions whose label lies in `low..end`, in microseconds.
fn micros_between(axis: &Axis, low: i64, end: i64) -> Result<Positions, Error> {
    let micros = crate::functions::micros_of(&axis.selected_labels()?)?;
    let micros = micros.as_primitive::<Int64Type>();
    let within = |selected: u64| {
        let place = selected as usize;
        micros.is_valid(place) && (low..end).contains(&micros.value(place))
    };
    Ok(axis.positions.filter(within))
}

fn from_micros(axis: &Axis, micros: i64) -> Result<ArrayRef, Error> {
    labels_from_micros(axis, vec![micros])
}

/// Instants in microseconds as labels of an axis of times.
pub(super) fn labels_from_micros(axis: &Axis, micros: Vec<i64>) -> Result<ArrayRef, Error> {
    let at: ArrayRef = Arc::new(Int64Array::from(micros));
    if axis.labels.data_type() == &DataType::Int64 {
        return Ok(at);
    }
    let at = cast(&at, &DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None));
    let at = at.and_then(|at| cast(&at, axis.labels.data_type()));
    Ok(at.map_err(datafusion::error::DataFusionError::from)?)
}

/// The name, in lower case, and the unnamed arguments of a call.
pub fn call_of(expression: &Expr) -> Option<(String, Vec<Expr>)> {
    let Expr::Function(function) = expression else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    let arguments = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
        _ => None,
    });
    Some((function.name.to_string().to_ascii_lowercase(), arguments.collect()))
}
