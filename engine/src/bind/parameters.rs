//! Parameters of a statement, `$1 … $10` or `?`, and the values that are put in their places.
//!
//! A value becomes a literal of the statement before it is bound, so that a parameter can stand wherever a literal can: in
//! brackets, LIMIT and the steps of the language as in plain SQL.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    Expr, UnaryOperator, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span as TokenSpan;
use quarray_lang::diagnostic::Diagnostic;
use quarray_lang::span::Span;
use quarray_lang::statement::{Statement, StatementKind};

use super::build;
use crate::error::Error;

/// Parameters of a statement: none has a higher number.
pub const PARAMETERS_MAX: usize = 10_000;

/// The parameters of a statement by their numbers, which `?` have by their places in the text.
#[derive(Debug, Default)]
pub struct Parameters {
    /// The places of `?`, in the order of the text; what the language repeats has one place.
    unnumbered: Vec<TokenSpan>,
    numbered: BTreeSet<usize>,
}

impl Parameters {
    /// The parameters of a statement.
    pub fn of(text: &str, statement: &Statement) -> Result<Self, Error> {
        let mut found = Finder { text, parameters: Self::default() };
        let visited = match &statement.kind {
            StatementKind::Sql(sql) => sql.visit(&mut found),
            StatementKind::Let { query, .. } => query.visit(&mut found),
            _ => ControlFlow::Continue(()),
        };
        if let ControlFlow::Break(error) = visited {
            return Err(error);
        }
        let Self { mut unnumbered, numbered } = found.parameters;
        unnumbered.sort_by_key(|span| (span.start.line, span.start.column));
        unnumbered.dedup();
        if !unnumbered.is_empty() && !numbered.is_empty() {
            return Err(plain("expected parameters `$1, $2 …` or `?`, found both"));
        }
        Ok(Self { unnumbered, numbered })
    }

    /// The highest number: as many values are wanted.
    pub fn count(&self) -> usize {
        self.numbered.last().copied().unwrap_or(self.unnumbered.len())
    }

    /// Puts values into their places.
    pub fn put(&self, text: &str, statement: &mut Statement, values: &[ScalarValue]) -> Result<(), Error> {
        if values.len() != self.count() {
            let (wanted, found) = (self.count(), values.len());
            return Err(plain(format!("expected values of {wanted} parameters, found {found}")));
        }
        let literals = values.iter().enumerate().map(|(index, value)| literal(value, index + 1));
        self.replace(text, statement, &literals.collect::<Result<Vec<_>, _>>()?)
    }

    /// Gives every `?` its number, for a plan without values.
    pub fn number(&self, text: &str, statement: &mut Statement) -> Result<(), Error> {
        let names = (1..=self.count()).map(|number| Expr::value(Value::Placeholder(format!("${number}"))));
        self.replace(text, statement, &names.collect::<Vec<_>>())
    }

    fn replace(&self, text: &str, statement: &mut Statement, values: &[Expr]) -> Result<(), Error> {
        let mut replacer = Replacer { text, parameters: self, values };
        let visited = match &mut statement.kind {
            StatementKind::Sql(sql) => VisitMut::visit(sql.as_mut(), &mut replacer),
            StatementKind::Let { query, .. } => VisitMut::visit(query.as_mut(), &mut replacer),
            _ => ControlFlow::Continue(()),
        };
        match visited {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

struct Finder<'a> {
    text: &'a str,
    parameters: Parameters,
}

impl Visitor for Finder<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Error> {
        let Some((name, span)) = placeholder(expression) else { return ControlFlow::Continue(()) };
        match number(self.text, name, span) {
            Ok(Some(number)) => drop(self.parameters.numbered.insert(number)),
            Ok(None) => self.parameters.unnumbered.push(span),
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

struct Replacer<'a> {
    text: &'a str,
    parameters: &'a Parameters,
    values: &'a [Expr],
}

impl VisitorMut for Replacer<'_> {
    type Break = Error;

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        let Some((name, span)) = placeholder(expression) else { return ControlFlow::Continue(()) };
        let number = match number(self.text, name, span) {
            Ok(Some(number)) => Some(number),
            Ok(None) => self.parameters.unnumbered.iter().position(|known| *known == span).map(|index| index + 1),
            Err(error) => return ControlFlow::Break(error),
        };
        let value = number.and_then(|number| self.values.get(number.checked_sub(1)?));
        match value {
            Some(value) => *expression = value.clone(),
            None => return ControlFlow::Break(plain(format!("the parameter {name} has no value"))),
        }
        ControlFlow::Continue(())
    }
}

fn placeholder(expression: &Expr) -> Option<(&str, TokenSpan)> {
    match expression {
        Expr::Value(ValueWithSpan { value: Value::Placeholder(name), span }) => Some((name, *span)),
        _ => None,
    }
}

/// The number of `$7`; none of `?`.
fn number(text: &str, name: &str, span: TokenSpan) -> Result<Option<usize>, Error> {
    if name == "?" {
        return Ok(None);
    }
    let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
    match number.filter(|number| (1..=PARAMETERS_MAX).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => {
            let message = format!("expected a parameter from $1 to ${PARAMETERS_MAX} or `?`, found `{name}`");
            Err(Error::Bind(Diagnostic::new(message).at(Span::of_tokens(text, span))))
        }
    }
}

/// A value as text that the language reads as the same value.
fn literal(value: &ScalarValue, number: usize) -> Result<Expr, Error> {
    let typed = || of_type(value, number);
    Ok(match value {
        _ if value.is_null() => Expr::value(Value::Null),
        ScalarValue::Boolean(Some(value)) => Expr::value(Value::Boolean(*value)),
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            Expr::value(Value::SingleQuotedString(text.clone()))
        }
        ScalarValue::Dictionary(_, value) | ScalarValue::RunEndEncoded(_, _, value) => literal(value, number)?,
        ScalarValue::Float64(Some(value)) if value.is_finite() => float(*value, &format!("{:?}", value.abs())),
        ScalarValue::Float32(Some(value)) if value.is_finite() => {
            float(f64::from(*value), &format!("{:?}", value.abs()))
        }
        ScalarValue::Int8(Some(value)) => integer(i64::from(*value)),
        ScalarValue::Int16(Some(value)) => integer(i64::from(*value)),
        ScalarValue::Int32(Some(value)) => integer(i64::from(*value)),
        ScalarValue::Int64(Some(value)) if *value != i64::MIN => integer(*value),
        ScalarValue::UInt8(Some(value)) => integer(i64::from(*value)),
        ScalarValue::UInt16(Some(value)) => integer(i64::from(*value)),
        ScalarValue::UInt32(Some(value)) => integer(i64::from(*value)),
        ScalarValue::UInt64(Some(value)) => Expr::value(Value::Number(value.to_string(), false)),
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes))
        | ScalarValue::FixedSizeBinary(_, Some(bytes)) => {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Expr::value(Value::HexStringLiteral(digits))
        }
        _ => typed()?,
    })
}

fn integer(value: i64) -> Expr {
    signed(value < 0, &value.unsigned_abs().to_string())
}

fn float(value: f64, digits: &str) -> Expr {
    signed(value.is_sign_negative(), digits)
}

fn signed(is_negative: bool, digits: &str) -> Expr {
    let number = Expr::value(Value::Number(digits.to_string(), false));
    match is_negative {
        true => Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) },
        false => number,
    }
}

/// Times, dates, decimals and what else has a text: `CAST('2020-01-01' AS DATE)`.
fn of_type(value: &ScalarValue, number: usize) -> Result<Expr, Error> {
    let data_type = value.data_type();
    let is_plain = data_type.is_numeric() || data_type.is_temporal();
    let text = value.to_array().ok().filter(|_| is_plain).and_then(|array| cast(&array, &DataType::Utf8).ok());
    let text = text.as_ref().and_then(|text| text.as_string_opt::<i32>()).and_then(|text| text.iter().next().flatten());
    let Some(text) = text else {
        return Err(plain(format!("parameter ${number}: expected a plain value, found one of type {data_type}")));
    };
    let literal = text.replace('\'', "''");
    match &data_type {
        DataType::Timestamp(unit, None) => {
            let digits = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            build::expression(&format!("CAST('{literal}' AS TIMESTAMP({digits}))"))
        }
        DataType::Date32 => build::expression(&format!("CAST('{literal}' AS DATE)")),
        // Brackets take no calls of functions that only the optimizer knows; the others have no types of SQL.
        _ => build::expression(&format!("arrow_cast('{literal}', '{data_type}')")),
    }
}

fn plain(message: impl Into<String>) -> Error {
    Error::Bind(Diagnostic::new(message))
}
