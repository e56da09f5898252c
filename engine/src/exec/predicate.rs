//! Predicates that kernels decide: a float variable whose missing cells are NaNs, compared with numbers.

use arrow::array::Array;
use arrow::buffer::BooleanBuffer;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator};

use super::block::Block;
use super::evaluate::BlockColumn;
use crate::kernel::{Comparison, compare};

/// Comparisons of variables with numbers, and what `AND` and `OR` make of them.
///
/// Only whether a predicate is true is asked, never whether it is false or missing: so a missing cell need not become a
/// null first, and a bit a cell is enough.
#[derive(Debug, Clone, PartialEq)]
pub enum CellPredicate {
    /// A column of the block compared with a number.
    Compare(usize, Comparison, f64),
    /// Both are true.
    And(Box<CellPredicate>, Box<CellPredicate>),
    /// One of them is true.
    Or(Box<CellPredicate>, Box<CellPredicate>),
}

impl CellPredicate {
    /// The predicate that an expression over `columns` of blocks of `rank` axes is, if it is one.
    pub fn of(expression: &Expr, columns: &[BlockColumn], rank: usize) -> Option<Self> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expression else { return None };
        if let Operator::And | Operator::Or = op {
            let (left, right) = (Self::of(left, columns, rank)?, Self::of(right, columns, rank)?);
            return Some(match op {
                Operator::And => Self::And(Box::new(left), Box::new(right)),
                _ => Self::Or(Box::new(left), Box::new(right)),
            });
        }
        let comparison = comparison_of(*op)?;
        let column = |expression: &Expr| column_of(expression, columns, rank);
        match (column(left), number_of(right)) {
            (Some(column), Some(number)) => Some(Self::Compare(column, comparison, number)),
            _ => Some(Self::Compare(column(right)?, turned(comparison), number_of(left)?)),
        }
    }

    /// A bit for each cell of a block: whether the predicate is true there. `None` where a column has nulls.
    pub fn bits(&self, block: &Block) -> Option<BooleanBuffer> {
        match self {
            Self::Compare(column, comparison, number) => {
                let values = &block.values[*column];
                if values.nulls().is_some() { None } else { compare(values, *comparison, *number) }
            }
            Self::And(left, right) => Some(&left.bits(block)? & &right.bits(block)?),
            Self::Or(left, right) => Some(&left.bits(block)? | &right.bits(block)?),
        }
    }
}

/// A column over every axis whose missing cells are NaNs, perhaps as a wider float.
fn column_of(expression: &Expr, columns: &[BlockColumn], rank: usize) -> Option<usize> {
    match expression {
        Expr::Column(name) => columns.iter().position(|column| {
            column.name == name.name && column.nan_is_missing && column.axes.iter().copied().eq(0..rank)
        }),
        Expr::Cast(Cast { expr, field }) if *field.data_type() == arrow::datatypes::DataType::Float64 => {
            column_of(expr, columns, rank)
        }
        _ => None,
    }
}

/// A number other than zero: rows tell -0 and +0 apart, kernels do not.
fn number_of(expression: &Expr) -> Option<f64> {
    let number = match expression {
        Expr::Literal(ScalarValue::Float32(number), _) => f64::from((*number)?),
        Expr::Literal(ScalarValue::Float64(number), _) => (*number)?,
        _ => return None,
    };
    (number.is_finite() && number != 0.0).then_some(number)
}

fn comparison_of(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Lt => Comparison::Less,
        Operator::LtEq => Comparison::LessOrEqual,
        Operator::Gt => Comparison::Greater,
        Operator::GtEq => Comparison::GreaterOrEqual,
        Operator::Eq => Comparison::Equal,
        Operator::NotEq => Comparison::NotEqual,
        _ => return None,
    })
}

/// The comparison with its sides exchanged.
fn turned(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        same => same,
    }
}
