//! Which aggregates there are, their types, and the accumulators that compute them.

use arrow::datatypes::DataType;

use super::Accumulator;
use super::choice::{Choice, ChoiceAccumulator};
use super::count::CountAccumulator;
use super::extreme::ExtremeAccumulator;
use super::quantile::QuantileAccumulator;
use super::sum::SumAccumulator;
use super::variance::VarianceAccumulator;
use super::weighted::WeightedAverageAccumulator;
use crate::kernel::error::KernelError;
use crate::kernel::native::{Physical, float_type, with_native};

/// What is aggregated, as a plan describes it. Missing cells are skipped by all of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AggregateKind {
    /// The number of cells of the argument that are not missing.
    Count,
    /// The number of cells that pass the mask. Takes no argument.
    CountAll,
    /// The sum.
    Sum,
    /// The mean.
    Average,
    /// The least value.
    Minimum,
    /// The greatest value.
    Maximum,
    /// The variance.
    Variance {
        /// 0 for a population, 1 for a sample.
        ddof: u8,
    },
    /// The square root of the variance.
    StandardDeviation {
        /// 0 for a population, 1 for a sample.
        ddof: u8,
    },
    /// Of (label, value): the label of the cell with the least value, the first in C order among equals.
    ArgMinimum,
    /// Of (label, value): the label of the cell with the greatest value, the first in C order among equals.
    ArgMaximum,
    /// Of (value, key): the value of the cell with the least key.
    First,
    /// Of (value, key): the value of the cell with the greatest key.
    Last,
    /// The middle value, or the mean of the two middle values.
    Median,
    /// The quantile, with linear interpolation between neighbours.
    Quantile {
        /// The bits of the fraction, an `f64` between 0 and 1: bits compare and hash.
        fraction: u64,
    },
    /// Whether any cell is true.
    Any,
    /// Whether all cells are true.
    All,
    /// Of (value, weight): the sum of products over the sum of weights.
    WeightedAverage,
}

impl AggregateKind {
    /// The quantile of a fraction between 0 and 1.
    pub fn quantile(fraction: f64) -> Self {
        Self::Quantile { fraction: fraction.to_bits() }
    }

    /// Whether there is a kernel for arguments of these types.
    pub fn supports(&self, arguments: &[DataType]) -> bool {
        self.result_type(arguments).is_ok()
    }

    /// The type of the results.
    pub fn result_type(&self, arguments: &[DataType]) -> Result<DataType, KernelError> {
        use AggregateKind as A;
        use DataType as T;
        let result = match (self, arguments) {
            (A::Count, [_]) | (A::CountAll, []) => Some(T::Int64),
            (A::Sum, [argument]) => sum_type(argument),
            (A::Average, [argument]) if is_number(argument) => Some(T::Float64),
            (A::Minimum | A::Maximum, [argument]) => Physical::of(argument).map(|_| argument.clone()),
            (A::Any | A::All, [T::Boolean]) => Some(T::Boolean),
            (A::Variance { .. } | A::StandardDeviation { .. } | A::Median | A::Quantile { .. }, [argument])
                if is_number(argument) =>
            {
                Some(T::Float64)
            }
            (A::WeightedAverage, [value, weight]) if is_number(value) && is_number(weight) => Some(T::Float64),
            (A::ArgMinimum | A::ArgMaximum | A::First | A::Last, [label, key]) => {
                Physical::of(label).and(Physical::of(key)).map(|_| label.clone())
            }
            _ => None,
        };
        result.ok_or_else(|| self.unsupported(arguments))
    }

    /// An accumulator for `groups` groups of arguments of these types.
    pub fn accumulator(&self, arguments: &[DataType], groups: usize) -> Result<Box<dyn Accumulator>, KernelError> {
        self.result_type(arguments)?;
        let unsupported = || self.unsupported(arguments);
        if matches!(self, Self::Count | Self::CountAll) {
            return Ok(Box::new(CountAccumulator::new(arguments.first().cloned(), groups)));
        }
        let argument = arguments.first().ok_or_else(unsupported)?.clone();
        let physical = Physical::of(&argument).ok_or_else(unsupported)?;
        Ok(match *self {
            Self::Sum => sum_accumulator(physical, argument, groups),
            Self::Average => average_accumulator(physical, argument, groups),
            Self::Minimum | Self::All => extreme_accumulator::<false>(physical, argument, groups),
            Self::Maximum | Self::Any => extreme_accumulator::<true>(physical, argument, groups),
            Self::Variance { ddof } => Box::new(VarianceAccumulator::new(argument, ddof, false, groups)),
            Self::StandardDeviation { ddof } => Box::new(VarianceAccumulator::new(argument, ddof, true, groups)),
            Self::ArgMinimum | Self::First => Box::new(ChoiceAccumulator::new(arguments, Choice::Least, groups)),
            Self::ArgMaximum => Box::new(ChoiceAccumulator::new(arguments, Choice::Greatest, groups)),
            Self::Last => Box::new(ChoiceAccumulator::new(arguments, Choice::LastGreatest, groups)),
            Self::Median => quantile_accumulator(argument, 0.5, groups),
            Self::Quantile { fraction } => quantile_accumulator(argument, f64::from_bits(fraction), groups),
            Self::WeightedAverage => Box::new(WeightedAverageAccumulator::new(arguments, groups)),
            Self::Count | Self::CountAll => return Err(unsupported()),
        })
    }

    /// The bytes that an accumulator takes for each group, before any cell: to reserve memory before it is made.
    pub fn bytes_per_group(&self, arguments: &[DataType]) -> usize {
        match self {
            Self::Count | Self::CountAll => 8,
            Self::Average if matches!(arguments, [DataType::Int64 | DataType::UInt64]) => 24,
            Self::Sum | Self::Average => 16,
            Self::Minimum | Self::Maximum => 1 + arguments.first().and_then(DataType::primitive_width).unwrap_or(1),
            Self::Any | Self::All => 2,
            Self::Variance { .. } | Self::StandardDeviation { .. } | Self::Median | Self::Quantile { .. } => 24,
            Self::ArgMinimum | Self::ArgMaximum | Self::First | Self::Last => 24,
            Self::WeightedAverage => 16,
        }
    }

    fn unsupported(&self, arguments: &[DataType]) -> KernelError {
        let found = arguments.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        KernelError::Unsupported { what: format!("{self:?}"), found: format!("({found})") }
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Float32 | DataType::Float64)
}

/// The type of DataFusion's sums.
fn sum_type(argument: &DataType) -> Option<DataType> {
    match argument {
        DataType::Float32 | DataType::Float64 => Some(DataType::Float64),
        _ if argument.is_signed_integer() => Some(DataType::Int64),
        _ if argument.is_unsigned_integer() => Some(DataType::UInt64),
        _ => None,
    }
}

fn sum_accumulator(physical: Physical, argument: DataType, groups: usize) -> Box<dyn Accumulator> {
    match physical {
        Physical::Int8 => Box::new(SumAccumulator::<i64>::new::<i8>(argument, false, groups)),
        Physical::Int16 => Box::new(SumAccumulator::<i64>::new::<i16>(argument, false, groups)),
        Physical::Int32 => Box::new(SumAccumulator::<i64>::new::<i32>(argument, false, groups)),
        Physical::Int64 => Box::new(SumAccumulator::<i64>::new::<i64>(argument, false, groups)),
        Physical::UInt8 => Box::new(SumAccumulator::<u64>::new::<u8>(argument, false, groups)),
        Physical::UInt16 => Box::new(SumAccumulator::<u64>::new::<u16>(argument, false, groups)),
        Physical::UInt32 => Box::new(SumAccumulator::<u64>::new::<u32>(argument, false, groups)),
        Physical::UInt64 => Box::new(SumAccumulator::<u64>::new::<u64>(argument, false, groups)),
        Physical::Float32 => Box::new(SumAccumulator::<f64>::new::<f32>(argument, false, groups)),
        Physical::Float64 => Box::new(SumAccumulator::<f64>::new::<f64>(argument, false, groups)),
    }
}

/// As sums, but sums of 64-bit integers must not wrap.
fn average_accumulator(physical: Physical, argument: DataType, groups: usize) -> Box<dyn Accumulator> {
    match physical {
        Physical::Int8 => Box::new(SumAccumulator::<i64>::new::<i8>(argument, true, groups)),
        Physical::Int16 => Box::new(SumAccumulator::<i64>::new::<i16>(argument, true, groups)),
        Physical::Int32 => Box::new(SumAccumulator::<i64>::new::<i32>(argument, true, groups)),
        Physical::Int64 => Box::new(SumAccumulator::<i128>::new::<i64>(argument, true, groups)),
        Physical::UInt8 => Box::new(SumAccumulator::<u64>::new::<u8>(argument, true, groups)),
        Physical::UInt16 => Box::new(SumAccumulator::<u64>::new::<u16>(argument, true, groups)),
        Physical::UInt32 => Box::new(SumAccumulator::<u64>::new::<u32>(argument, true, groups)),
        Physical::UInt64 => Box::new(SumAccumulator::<i128>::new::<u64>(argument, true, groups)),
        Physical::Float32 => Box::new(SumAccumulator::<f64>::new::<f32>(argument, true, groups)),
        Physical::Float64 => Box::new(SumAccumulator::<f64>::new::<f64>(argument, true, groups)),
    }
}

fn extreme_accumulator<const GREATEST: bool>(
    physical: Physical,
    argument: DataType,
    groups: usize,
) -> Box<dyn Accumulator> {
    with_native!(physical, T => Box::new(ExtremeAccumulator::<T, GREATEST>::new(argument, groups)))
}

fn quantile_accumulator(argument: DataType, fraction: f64, groups: usize) -> Box<dyn Accumulator> {
    match float_type(&argument) {
        DataType::Float32 => Box::new(QuantileAccumulator::<f32>::new(argument, fraction, groups)),
        _ => Box::new(QuantileAccumulator::<f64>::new(argument, fraction, groups)),
    }
}
