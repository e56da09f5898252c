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
    Expr, Statement as SqlStatement, UnaryOperator, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
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
            // The parameters of PREPARE are for EXECUTE.
            StatementKind::Sql(sql) if matches!(sql.as_ref(), SqlStatement::Prepare { .. }) => {
                ControlFlow::Continue(())
            }
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
        if self.count() == 0 {
            return Ok(());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Session;

    type Ended<T = ()> = Result<T, Box<dyn std::error::Error>>;

    async fn first(session: &Session, text: &str) -> Ended<ScalarValue> {
        let batches = session.query(text).await?.into_rows()?.collect().await?;
        let column = batches.iter().find(|batch| batch.num_rows() > 0).map(|batch| batch.column(0));
        Ok(ScalarValue::try_from_array(column.ok_or("no row")?, 0)?)
    }

    #[tokio::test]
    async fn a_value_comes_back_as_it_was() -> Ended {
        let session = Session::builder().build()?;
        let values = [
            ScalarValue::Boolean(Some(true)),
            ScalarValue::Int8(Some(-128)),
            ScalarValue::Int64(Some(i64::MIN)),
            ScalarValue::Int64(Some(i64::MAX)),
            ScalarValue::UInt64(Some(u64::MAX)),
            ScalarValue::Float64(Some(-0.1)),
            ScalarValue::Float64(Some(1e300)),
            ScalarValue::Float64(Some(5e-324)),
            ScalarValue::Float64(Some(f64::NEG_INFINITY)),
            ScalarValue::Utf8(Some("it's \"$1\"; -- ?".to_string())),
            ScalarValue::Binary(Some(vec![0, 255])),
            ScalarValue::Date32(Some(-1)),
            ScalarValue::TimestampSecond(Some(-1), None),
            ScalarValue::TimestampMicrosecond(Some(-62_135_596_800_000_001), None),
            ScalarValue::TimestampNanosecond(Some(1), None),
            ScalarValue::TimestampMicrosecond(Some(1), Some("+00:00".into())),
            ScalarValue::Time64Nanosecond(Some(86_399_999_999_999)),
            ScalarValue::Decimal128(Some(-12345), 9, 2),
        ];
        for value in values {
            let found = first(&session.with_parameters(vec![value.clone()]), "SELECT $1 AS v").await?;
            assert_eq!(found.cast_to(&value.data_type())?, value, "{found:?}");
        }
        let nan = session.with_parameters(vec![ScalarValue::Float64(Some(f64::NAN))]);
        assert_eq!(first(&nan, "SELECT isnan($1) AS v").await?, ScalarValue::Boolean(Some(true)));
        let none = session.with_parameters(vec![ScalarValue::Int64(None)]);
        assert_eq!(first(&none, "SELECT $1 IS NULL AS v").await?, ScalarValue::Boolean(Some(true)));
        Ok(())
    }

    #[tokio::test]
    async fn places_are_counted_in_the_text() -> Ended {
        let session = Session::builder().build()?;
        let values = (1..=11).map(|n| ScalarValue::Int64(Some(n))).collect::<Vec<_>>();
        let eleven = session.with_parameters(values);
        let by_number = "SELECT $11 * 100 + $2 AS v WHERE $1 < $3";
        assert_eq!(first(&eleven, by_number).await?, ScalarValue::Int64(Some(1102)));
        let two = session.with_parameters(vec![ScalarValue::Int64(Some(7)), ScalarValue::Int64(Some(2))]);
        // The language moves what stands in LIMIT; `?` keep the order of the text.
        let by_place = "SELECT value + ? AS v FROM range(10) LIMIT ?";
        assert_eq!(first(&two, by_place).await?, ScalarValue::Int64(Some(7)));
        for (text, words) in [
            ("SELECT $1 AS v", "expected values of 1 parameters, found 2"),
            ("SELECT $1, ?", "found both"),
            ("SELECT $zero", "expected a parameter from $1"),
            ("SELECT $99999", "expected a parameter from $1"),
        ] {
            let error = two.query(text).await.err().ok_or("no error")?.to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        let plain = session.query("SELECT $1 AS v").await.err().ok_or("no error")?.to_string();
        assert!(plain.contains("expected values of 1 parameters, found 0"), "{plain}");
        Ok(())
    }

    #[tokio::test]
    async fn a_statement_is_outlined_without_its_values() -> Ended {
        let session = Session::builder().build()?;
        session.query("CREATE TABLE t (a BIGINT, w VARCHAR)").await?;
        let outline = session.outline("SELECT w FROM t WHERE a > $1").await?;
        assert_eq!(outline.parameters, [Some(DataType::Int64)]);
        assert_eq!(outline.schema.ok_or("no schema")?.field(0).name(), "w");
        // Which labels a parameter chooses is not known yet, so nothing is refused for the cells that it may drop.
        let store = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/rnz-bcsd.zarr");
        let coarse = format!("FROM '{store}' |> WHERE time >= $1 |> COARSEN avg(tas) BY time 2 USING trim");
        assert!(session.outline(&coarse).await?.schema.is_some());
        let outline = session.outline("INSERT INTO t VALUES (?, ?)").await?;
        assert_eq!(outline.parameters.first(), Some(&Some(DataType::Int64)));
        assert!(outline.schema.is_none() && outline.parameters.len() == 2);
        let rows = session.query("SELECT a, w FROM datafusion.public.t").await?.into_rows()?;
        let outline = session.outline("SELECT a, w FROM t").await?;
        assert_eq!(outline.schema.ok_or("no schema")?.fields(), rows.schema().fields());
        Ok(())
    }
}
