//! What a grid reduction computes: groups that are functions of single dimensions, and aggregates over them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::internal_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;

use super::evaluate::BlockColumn;
use crate::array::Region;
use crate::kernel::{AggregateKind, AxisGroups, BlockLayout};
use crate::scan::{CellTable, ColumnKind, Order, axis_with_variables, evaluate_on_axis, unqualified};

/// A grid reduction.
#[derive(Debug)]
pub struct ReduceSpec {
    /// The cells.
    pub table: Arc<CellTable>,
    /// The columns of the blocks that come in.
    pub columns: Vec<BlockColumn>,
    /// How the cells of each axis of the table are grouped.
    pub axes: Vec<GroupAxis>,
    /// The key columns of the result, each with its axis and its value for every group of the axis.
    pub keys: Vec<(usize, ArrayRef)>,
    /// The aggregates, after the keys in the result.
    pub aggregates: Vec<AggregateSpec>,
    /// Cells where this is not true are left out, and a group without cells is no row.
    pub mask: Option<Expr>,
    /// Keys, then aggregates.
    pub schema: SchemaRef,
    /// The orders in which the rows of the result come: columns of it, and whether each descends.
    pub orders: Vec<Vec<(usize, bool)>>,
}

/// An aggregate over expressions of the cells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AggregateSpec {
    /// What is computed.
    pub kind: AggregateKind,
    /// Of what.
    pub arguments: Vec<Expr>,
    /// `FILTER (WHERE …)`
    pub filter: Option<Expr>,
}

/// How the cells along one axis are grouped.
#[derive(Debug, Clone)]
pub enum GroupAxis {
    /// All cells belong together.
    Collapsed,
    /// Every cell is a group of its own.
    Identity {
        /// Cells along the axis.
        count: u64,
    },
    /// Cells with the same label belong together.
    Labelled {
        /// The group of each cell.
        labels: Arc<[u32]>,
        /// Groups there are.
        count: u64,
    },
}

/// The grouping of every axis, the key columns and the orders of the result.
pub struct Grouping {
    /// One for each axis of the table.
    pub axes: Vec<GroupAxis>,
    /// One for each key.
    pub keys: Vec<(usize, ArrayRef)>,
    /// See [`ReduceSpec::orders`].
    pub orders: Vec<Vec<(usize, bool)>>,
}

impl Grouping {
    /// The grouping by `keys`, each an expression of one axis.
    pub fn new(table: &CellTable, keys: &[Expr]) -> Result<Self> {
        let mut by_axis: Vec<Vec<(usize, Expr)>> = vec![Vec::new(); table.axes().len()];
        for (place, key) in keys.iter().enumerate() {
            let Some(axis) = axis_with_variables(table, key) else {
                return internal_err!("the group key {key} is no function of one dimension");
            };
            by_axis[axis].push((place, unqualified(key)?));
        }
        let mut grouping = Self { axes: Vec::new(), keys: Vec::new(), orders: vec![Vec::new(); 2] };
        let mut values: Vec<Option<(usize, ArrayRef)>> = vec![None; keys.len()];
        let mut ordered = true;
        for (axis, keys) in by_axis.iter().enumerate() {
            let (groups, representatives, orders) = group_axis(table, axis, keys)?;
            for (place, key) in keys {
                let along = evaluate_on_axis(table, axis, key)?;
                let of_groups = match &representatives {
                    Some(cells) => take(&with_one_zero(along), cells, None)?,
                    None => along,
                };
                values[*place] = Some((axis, of_groups));
            }
            grouping.axes.push(groups);
            ordered &= keys.is_empty() || !orders.is_empty();
            if let (true, Some(first), Some(last)) = (ordered, orders.first(), orders.last()) {
                grouping.orders[0].extend(first);
                grouping.orders[1].extend(last);
            }
        }
        grouping.keys = values.into_iter().flatten().collect();
        grouping.orders.retain(|order| !order.is_empty());
        Ok(grouping)
    }
}

/// The type of a key along an axis.
pub fn type_of_key(table: &CellTable, axis: usize, key: &Expr) -> Result<DataType> {
    Ok(evaluate_on_axis(table, axis, &unqualified(key)?)?.data_type().clone())
}

type AxisOrders = Vec<Vec<(usize, bool)>>;

/// The grouping along one axis; for labelled groups a cell of each; and orders that its keys then have.
fn group_axis(
    table: &CellTable,
    axis: usize,
    keys: &[(usize, Expr)],
) -> Result<(GroupAxis, Option<UInt32Array>, AxisOrders)> {
    let count = table.axes()[axis].count();
    if keys.is_empty() {
        return Ok((GroupAxis::Collapsed, None, Vec::new()));
    }
    let orders: AxisOrders =
        keys.iter().filter_map(|(place, key)| Some(vec![(*place, descends(table, key)?)])).collect();
    if !orders.is_empty() {
        return Ok((GroupAxis::Identity { count }, None, orders));
    }
    let along = |key: &Expr| evaluate_on_axis(table, axis, key).map(with_one_zero);
    let columns = keys.iter().map(|(_, key)| along(key)).collect::<Result<Vec<_>>>()?;
    let (labels, representatives) = labels_of(&columns)?;
    let order = keys.iter().map(|(place, _)| (*place, false)).collect();
    let groups = GroupAxis::Labelled { labels: labels.into(), count: representatives.len() as u64 };
    Ok((groups, Some(representatives), vec![order]))
}

/// Whether a key that tells every cell of its axis apart descends; `None` when it may not tell them apart.
fn descends(table: &CellTable, key: &Expr) -> Option<bool> {
    let Expr::Column(column) = key else { return None };
    match table.column(&column.name)?.kind {
        ColumnKind::Position(_) => Some(false),
        ColumnKind::Label(axis) => match table.axes()[axis].order {
            Order::Ascending => Some(false),
            Order::Descending => Some(true),
            Order::None => None,
        },
        ColumnKind::Variable(_) => None,
    }
}

/// Numbers whose two zeros are one, as they are in a group of SQL: -0.0 + 0.0 is 0.0.
fn with_one_zero(values: ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Float32 => {
            Arc::new(values.as_primitive::<Float32Type>().unary::<_, Float32Type>(|value| value + 0.0))
        }
        DataType::Float64 => {
            Arc::new(values.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| value + 0.0))
        }
        _ => values,
    }
}

/// The group of each cell, groups numbered in the order of their keys (missing last), and a cell of each group.
fn labels_of(columns: &[ArrayRef]) -> Result<(Vec<u32>, UInt32Array)> {
    let options = SortOptions { descending: false, nulls_first: false };
    let fields = columns.iter().map(|column| SortField::new_with_options(column.data_type().clone(), options));
    let converter = RowConverter::new(fields.collect())?;
    let rows = converter.convert_columns(columns)?;
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by(|&a, &b| rows.row(a as usize).cmp(&rows.row(b as usize)));
    let mut labels = vec![0; order.len()];
    let mut representatives: Vec<u32> = Vec::new();
    for &cell in &order {
        let is_new = representatives.last().is_none_or(|&last| rows.row(last as usize) != rows.row(cell as usize));
        if is_new {
            representatives.push(cell);
        }
        labels[cell as usize] = representatives.len() as u32 - 1;
    }
    Ok((labels, UInt32Array::from(representatives)))
}

impl GroupAxis {
    /// Groups along the axis.
    pub fn count(&self) -> u64 {
        match self {
            Self::Collapsed => 1,
            Self::Identity { count } | Self::Labelled { count, .. } => *count,
        }
    }

    /// Whether the groups of cells that follow each other do so too.
    pub fn is_in_order(&self) -> bool {
        match self {
            Self::Collapsed | Self::Identity { .. } => true,
            Self::Labelled { labels, .. } => labels.is_sorted(),
        }
    }

    /// The groups that the cells from `start` on belong to, as first and one past the last.
    fn span(&self, start: u64, length: u64) -> (u64, u64) {
        match self {
            Self::Collapsed => (0, 1),
            Self::Identity { .. } => (start, start + length),
            Self::Labelled { labels, .. } => {
                let labels = &labels[start as usize..(start + length) as usize];
                let low = labels.iter().min().copied().unwrap_or(0);
                (u64::from(low), labels.iter().max().map_or(0, |&high| u64::from(high) + 1))
            }
        }
    }
}

impl ReduceSpec {
    /// Groups along each axis of the table.
    pub fn group_shape(&self) -> Vec<u64> {
        self.axes.iter().map(GroupAxis::count).collect()
    }

    /// Groups in all.
    pub fn groups(&self) -> Result<usize> {
        // Without a cell there is no group, but the one of everything.
        if !self.keys.is_empty() && self.table.shape().contains(&0) {
            return Ok(0);
        }
        cells_of(&Region::whole(&self.group_shape()))
    }

    /// The box of groups that a box of cells belongs to.
    pub fn groups_of(&self, cells: &Region) -> Region {
        let spans =
            self.axes.iter().enumerate().map(|(axis, groups)| groups.span(cells.start[axis], cells.shape[axis]));
        let (start, shape) = spans.map(|(low, high)| (low, high - low)).unzip();
        Region::new(start, shape)
    }

    /// Which group of the box `groups` each cell of a block belongs to.
    pub fn layout(&self, block: &Region, groups: &Region) -> BlockLayout {
        let strides = strides(&groups.shape);
        let axes = self.axes.iter().enumerate().map(|(axis, along)| {
            let (start, stride) = (block.start[axis] as usize, strides[axis]);
            match along {
                GroupAxis::Collapsed => AxisGroups::Collapsed,
                GroupAxis::Identity { .. } => {
                    AxisGroups::Identity { first: start - groups.start[axis] as usize, stride }
                }
                GroupAxis::Labelled { labels, .. } => {
                    let low = groups.start[axis] as u32;
                    let labels = &labels[start..start + block.shape[axis] as usize];
                    AxisGroups::Labelled { labels: labels.iter().map(|label| label - low).collect(), stride }
                }
            }
        });
        let shape = to_usize(&block.shape);
        BlockLayout::new(shape.clone(), axes.collect()).placed(
            &shape,
            &to_usize(&block.start),
            &to_usize(&self.table.shape()),
        )
    }

    /// Which of the groups that are held each group of a box of groups is: all of the result, but for those before `first`
    /// along `held`, the outermost axis that has groups.
    pub fn merge_layout(&self, groups: &Region, held: usize, first: u64) -> BlockLayout {
        let strides = strides(&self.group_shape());
        let start = |axis: usize| groups.start[axis] - if axis == held { first } else { 0 };
        let axes = (0..self.axes.len())
            .map(|axis| AxisGroups::Identity { first: start(axis) as usize, stride: strides[axis] })
            .collect();
        BlockLayout::new(to_usize(&groups.shape), axes)
    }
}

/// Cells of a box, or an error that says how many there would be.
pub fn cells_of(region: &Region) -> Result<usize> {
    region.cells().and_then(|cells| usize::try_from(cells).ok()).ok_or_else(|| {
        DataFusionError::ResourcesExhausted(format!(
            "the result has {:?} groups, more than can be counted",
            region.shape
        ))
    })
}

fn strides(shape: &[u64]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as usize;
    }
    strides
}

fn to_usize(values: &[u64]) -> Vec<usize> {
    values.iter().map(|&value| value as usize).collect()
}
