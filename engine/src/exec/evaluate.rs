//! Expressions over the cells of a block, evaluated by DataFusion's own.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, internal_err};
use datafusion::error::Result;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use super::block::Block;
use super::pivot::kernel;
use super::predicate::CellPredicate;
use crate::kernel::{gather, makes_nan};
use crate::scan::{CellTable, axis_of, evaluate_on_axis, nan_to_null, unqualified};

/// A column of blocks: a variable, or what an operator added to it.
#[derive(Debug, Clone)]
pub struct BlockColumn {
    /// Its name, as expressions use it.
    pub name: String,
    /// The type of its values.
    pub data_type: DataType,
    /// The axes of the table that its values are over.
    pub axes: Vec<usize>,
    /// Whether a NaN among its values is a missing cell, unless the values have a null buffer: then that tells.
    pub nan_is_missing: bool,
}

impl BlockColumn {
    /// Whether a NaN among these values is a missing cell.
    pub fn is_nan_coded(&self, values: &ArrayRef) -> bool {
        self.nan_is_missing && values.nulls().is_none()
    }

    /// The values of the column with missing cells as nulls.
    pub fn with_nulls(&self, values: &ArrayRef) -> ArrayRef {
        if self.is_nan_coded(values) { nan_to_null(values) } else { Arc::clone(values) }
    }
}

/// Values over every cell of a block.
#[derive(Debug, Clone)]
pub struct CellValues {
    /// The values, in C order.
    pub values: ArrayRef,
    /// Whether a NaN among them is a missing cell.
    pub nan_is_missing: bool,
}

/// Expressions prepared for blocks of one table. What depends on one dimension alone is evaluated once, over its labels.
#[derive(Debug)]
pub struct CellExpressions {
    rank: usize,
    columns: Vec<BlockColumn>,
    along: Vec<(usize, ArrayRef)>,
    schema: SchemaRef,
    prepared: Vec<Prepared>,
}

#[derive(Debug)]
enum Prepared {
    /// A column of the block as it is.
    Column(usize),
    /// Values along one axis.
    Along(usize),
    /// Anything else.
    Computed(Computed),
}

/// An expression of several columns.
#[derive(Debug)]
struct Computed {
    physical: Arc<dyn PhysicalExpr>,
    /// The columns of the flat schema that it uses.
    used: Vec<usize>,
    /// Whether it can take missing cells as the NaNs that they are, see [`carries_nan`].
    carries_nan: bool,
    /// Itself, where it is a predicate that kernels decide.
    predicate: Option<CellPredicate>,
}

impl CellExpressions {
    /// Prepares expressions of the columns of blocks and of the labels of the table.
    pub fn new(table: &CellTable, columns: Vec<BlockColumn>, expressions: &[Expr]) -> Result<Self> {
        let rank = table.axes().len();
        let mut along: Vec<(usize, ArrayRef)> = Vec::new();
        let hoisted = expressions
            .iter()
            .map(|expression| hoist(table, &unqualified(expression)?, &mut along))
            .collect::<Result<Vec<_>>>()?;
        let mut fields: Vec<Field> =
            columns.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true)).collect();
        let labels = along.iter().enumerate();
        fields.extend(labels.map(|(k, (_, values))| Field::new(along_name(k), values.data_type().clone(), true)));
        let schema = Arc::new(Schema::new(fields));
        let flat = DFSchema::try_from(Arc::clone(&schema))?;
        let prepared = hoisted
            .iter()
            .map(|expression| Prepared::new(expression, &schema, &flat, &columns, rank))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { rank, columns, along, schema, prepared })
    }

    /// How many expressions there are.
    pub fn count(&self) -> usize {
        self.prepared.len()
    }

    /// The type of an expression's values.
    pub fn data_type(&self, expression: usize) -> Result<DataType> {
        match &self.prepared[expression] {
            Prepared::Column(column) => Ok(self.columns[*column].data_type.clone()),
            Prepared::Along(k) => Ok(self.along[*k].1.data_type().clone()),
            Prepared::Computed(computed) => computed.physical.data_type(&self.schema),
        }
    }

    /// The values of an expression over every cell of a block.
    pub fn evaluate(&self, expression: usize, block: &Block) -> Result<CellValues> {
        match &self.prepared[expression] {
            Prepared::Column(column) => {
                let nan_is_missing = self.columns[*column].is_nan_coded(&block.values[*column]);
                let values = self.spread(*column, block, &block.values[*column])?;
                Ok(CellValues { values, nan_is_missing })
            }
            Prepared::Along(k) => Ok(CellValues { values: self.spread_along(*k, block)?, nan_is_missing: false }),
            Prepared::Computed(computed) => {
                let is_nan_coded = |&column: &usize| self.columns[column].is_nan_coded(&block.values[column]);
                if computed.carries_nan && computed.used.iter().all(is_nan_coded) {
                    let inputs = self.inputs(&computed.used, block, false)?;
                    let values = computed.physical.evaluate(&inputs)?.into_array(inputs.num_rows())?;
                    let floats: Vec<_> = computed.used.iter().map(|&column| inputs.column(column)).collect();
                    if !makes_nan(&values, &floats) {
                        return Ok(CellValues { values, nan_is_missing: true });
                    }
                }
                let inputs = self.inputs(&computed.used, block, true)?;
                let values = computed.physical.evaluate(&inputs)?.into_array(inputs.num_rows())?;
                Ok(CellValues { values, nan_is_missing: false })
            }
        }
    }

    /// The cells where a predicate is true.
    pub fn matching(&self, expression: usize, block: &Block) -> Result<BooleanArray> {
        if let Prepared::Computed(Computed { predicate: Some(predicate), .. }) = &self.prepared[expression]
            && let Some(bits) = predicate.bits(block)
        {
            return Ok(BooleanArray::new(bits, None));
        }
        let found = self.evaluate(expression, block)?;
        Ok(as_boolean_array(&found.values)?.clone())
    }

    /// The columns that an expression uses as a flat batch; missing cells are nulls, or are left as they are.
    fn inputs(&self, used: &[usize], block: &Block, as_nulls: bool) -> Result<RecordBatch> {
        let cells: usize = block.shape().iter().product();
        let mut fields = Vec::with_capacity(self.schema.fields().len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(fields.capacity());
        for (index, field) in self.schema.fields().iter().enumerate() {
            let values = match index.checked_sub(self.columns.len()) {
                _ if !used.contains(&index) => arrow::array::new_null_array(&DataType::Null, cells),
                None => {
                    let column = &self.columns[index];
                    let values = match as_nulls {
                        true => column.with_nulls(&block.values[index]),
                        false => Arc::clone(&block.values[index]),
                    };
                    self.spread(index, block, &values)?
                }
                Some(k) => self.spread_along(k, block)?,
            };
            fields.push(Field::new(field.name(), values.data_type().clone(), true));
            arrays.push(values);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(cells));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }

    /// The values of a column, repeated along the axes it lacks.
    fn spread(&self, column: usize, block: &Block, values: &ArrayRef) -> Result<ArrayRef> {
        let axes = &self.columns[column].axes;
        match axes.iter().copied().eq(0..self.rank) {
            true => Ok(Arc::clone(values)),
            false => gather::broadcast(values, axes, &block.shape()).map_err(kernel),
        }
    }

    fn spread_along(&self, k: usize, block: &Block) -> Result<ArrayRef> {
        let (axis, values) = &self.along[k];
        let part = values.slice(block.region.start[*axis] as usize, block.region.shape[*axis] as usize);
        gather::broadcast(&part, &[*axis], &block.shape()).map_err(kernel)
    }
}

impl Prepared {
    fn new(
        expression: &Expr,
        schema: &SchemaRef,
        flat: &DFSchema,
        columns: &[BlockColumn],
        rank: usize,
    ) -> Result<Self> {
        if let Expr::Column(column) = expression {
            let index = schema.index_of(&column.name)?;
            return Ok(match index.checked_sub(columns.len()) {
                None => Self::Column(index),
                Some(k) => Self::Along(k),
            });
        }
        let physical = create_physical_expr(expression, flat, &ExecutionProps::new(), &Default::default())?;
        let mut used = Vec::new();
        expression.apply(|node| {
            if let Expr::Column(column) = node {
                used.push(schema.index_of(&column.name)?);
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let carries_nan = carries_nan(expression, columns);
        let predicate = CellPredicate::of(expression, columns, rank);
        Ok(Self::Computed(Computed { physical, used, carries_nan, predicate }))
    }
}

/// Whether an expression is arithmetic of floats whose missing cells are NaNs: its result is then a NaN wherever one of
/// them is missing, and hardly ever anywhere else.
fn carries_nan(expression: &Expr, columns: &[BlockColumn]) -> bool {
    match expression {
        Expr::Column(name) => columns.iter().any(|column| column.name == name.name && column.nan_is_missing),
        Expr::Literal(value, _) => !value.is_null() && value.data_type().is_numeric(),
        Expr::Negative(inner) => carries_nan(inner, columns),
        Expr::Cast(cast) => cast.field.data_type().is_floating() && carries_nan(&cast.expr, columns),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide)
                && carries_nan(left, columns)
                && carries_nan(right, columns)
        }
        _ => false,
    }
}

/// Replaces every largest part of an expression that depends on one axis by a column of its values over the labels.
fn hoist(table: &CellTable, expression: &Expr, along: &mut Vec<(usize, ArrayRef)>) -> Result<Expr> {
    let hoisted = expression.clone().transform_down(|node| match axis_of(table, &node) {
        Some(axis) => {
            along.push((axis, evaluate_on_axis(table, axis, &node)?));
            let name = along_name(along.len() - 1);
            Ok(Transformed::new(Expr::Column(name.into()), true, TreeNodeRecursion::Jump))
        }
        None => Ok(Transformed::no(node)),
    })?;
    Ok(hoisted.data)
}

fn along_name(k: usize) -> String {
    format!("along {k}")
}

/// The expression without a cast that only widens: kernels widen as they read.
pub fn without_widening(expression: &Expr, type_of: impl Fn(&Expr) -> Result<DataType>) -> Result<Expr> {
    if let Expr::Cast(Cast { expr, field }) = expression {
        let inner = type_of(expr)?;
        let widens = match (&inner, field.data_type()) {
            (DataType::Float32, DataType::Float64) => true,
            (from, DataType::Int64) => from.is_signed_integer(),
            (from, DataType::UInt64) => from.is_unsigned_integer(),
            _ => false,
        };
        if widens {
            return Ok(expr.as_ref().clone());
        }
    }
    match expression {
        Expr::Alias(_) => internal_err!("an alias inside an aggregate"),
        other => Ok(other.clone()),
    }
}
