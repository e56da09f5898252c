//! `min`, `max`, `any` and `all`: the least or greatest value, in Arrow's total order.

use std::fmt::Debug;
use std::ops::Range;

use arrow::array::{ArrayRef, BooleanArray, UInt8Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;

use super::Accumulator;
use crate::kernel::cells::{Cells, Missing, Presence, check_merge, check_update};
use crate::kernel::error::KernelError;
use crate::kernel::fold::{Fold, fold, for_each_cell};
use crate::kernel::large::{filled, zeros};
use crate::kernel::layout::BlockLayout;
use crate::kernel::native::{Native, array_of, native_values, state_values};

const LANES: usize = 32;

/// A value with an integer key that orders as the value does: integers compare without branches, and total.
pub(crate) trait Ordered: Native + Debug {
    /// The key's type.
    type Key: Copy + Ord + Debug + Send + Sync;
    /// The least key.
    const LEAST: Self::Key;
    /// The greatest key.
    const GREATEST: Self::Key;

    /// The key of a value.
    fn key(self) -> Self::Key;

    /// The value of a key.
    fn value(key: Self::Key) -> Self;
}

/// Keeps the least value of each group or, if `GREATEST`, the greatest.
#[derive(Debug)]
pub(crate) struct ExtremeAccumulator<T: Ordered, const GREATEST: bool> {
    argument: DataType,
    extremes: Extremes<T, GREATEST>,
}

#[derive(Debug)]
pub(crate) struct Extremes<T: Ordered, const GREATEST: bool> {
    pub(crate) keys: Vec<T::Key>,
    /// 1 where a group has had a cell.
    pub(crate) seen: Vec<u8>,
}

impl<T: Ordered, const GREATEST: bool> ExtremeAccumulator<T, GREATEST> {
    /// An accumulator of `groups` extremes of an argument that is stored as `T`.
    pub(crate) fn new(argument: DataType, groups: usize) -> Self {
        Self { argument, extremes: Extremes::new(groups) }
    }
}

impl<T: Ordered, const GREATEST: bool> Accumulator for ExtremeAccumulator<T, GREATEST> {
    fn update(
        &mut self,
        layout: &BlockLayout,
        arguments: &[Cells<'_>],
        mask: Option<&BooleanArray>,
    ) -> Result<(), KernelError> {
        let groups = self.extremes.seen.len();
        check_update("min or max", std::slice::from_ref(&self.argument), groups, layout, arguments, mask)?;
        let values = native_values::<T>(arguments[0].values);
        fold(&mut self.extremes, layout, &values, &Missing::of(&arguments[0], mask));
        Ok(())
    }

    fn merge(&mut self, layout: &BlockLayout, state: &[ArrayRef]) -> Result<(), KernelError> {
        check_merge("min or max", 2, self.extremes.seen.len(), layout, state)?;
        let values = state_values::<T>(&state[0], &self.argument)?;
        let seen = state_values::<u8>(&state[1], &DataType::UInt8)?;
        let extremes = &mut self.extremes;
        for_each_cell(layout, |cell, group| {
            if seen[cell] != 0 {
                extremes.keys[group] = Extremes::<T, GREATEST>::better(extremes.keys[group], values[cell].key());
                extremes.seen[group] = 1;
            }
        });
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.argument.clone(), DataType::UInt8]
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>, KernelError> {
        let values = std::mem::take(&mut self.extremes.keys).into_iter().map(T::value).collect();
        let seen = UInt8Array::from(std::mem::take(&mut self.extremes.seen));
        Ok(vec![array_of(&self.argument, values, None)?, std::sync::Arc::new(seen)])
    }

    fn finish(&mut self, range: Range<usize>) -> Result<ArrayRef, KernelError> {
        let seen = &self.extremes.seen[range.clone()];
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(seen.len(), |k| seen[k] != 0));
        let values = self.extremes.keys[range].iter().map(|&key| T::value(key)).collect();
        array_of(&self.argument, values, (nulls.null_count() > 0).then_some(nulls))
    }

    fn memory_size(&self) -> usize {
        self.extremes.keys.capacity() * size_of::<T::Key>() + self.extremes.seen.capacity()
    }
}

impl<T: Ordered, const GREATEST: bool> Extremes<T, GREATEST> {
    /// The key that every other key is better than.
    const IDENTITY: T::Key = if GREATEST { T::LEAST } else { T::GREATEST };

    pub(crate) fn new(groups: usize) -> Self {
        Self { keys: filled(Self::IDENTITY, groups), seen: zeros(groups) }
    }

    /// Forgets all cells.
    pub(crate) fn reset(&mut self) {
        self.keys.fill(Self::IDENTITY);
        self.seen.fill(0);
    }

    #[inline(always)]
    fn better(a: T::Key, b: T::Key) -> T::Key {
        if GREATEST { a.max(b) } else { a.min(b) }
    }

    #[inline(always)]
    fn key_if(has: bool, value: T) -> T::Key {
        if has { value.key() } else { Self::IDENTITY }
    }
}

impl<T: Ordered, const GREATEST: bool> Fold<T> for Extremes<T, GREATEST> {
    // Of integers there are many types and few arrays: loops of their own would cost more to compile than they bring.
    const ROW: usize = if T::FLOAT { LANES } else { 0 };

    #[inline(always)]
    fn one<P: Presence>(&mut self, group: usize, values: &[T], present: P) {
        let (key, seen) = extreme_of::<T, P, GREATEST>(values, present);
        self.keys[group] = Self::better(self.keys[group], key);
        self.seen[group] |= u8::from(seen);
    }

    #[inline(always)]
    fn consecutive<P: Presence>(&mut self, first: usize, values: &[T], present: P) {
        let groups = first..first + values.len();
        let (keys, seen) = (&mut self.keys[groups.clone()], &mut self.seen[groups]);
        let present = present.part(0..values.len());
        for (k, (key, &value)) in keys.iter_mut().zip(values).enumerate() {
            *key = Self::better(*key, Self::key_if(present.has(k, value), value));
        }
        // A loop of its own: flags are narrower than keys, and one loop over both would be split into bytes.
        for (k, (seen, &value)) in seen.iter_mut().zip(values).enumerate() {
            *seen |= u8::from(present.has(k, value));
        }
    }

    #[inline(always)]
    fn add_row<P: Presence>(&mut self, first: usize, runs: &[(&[T], P)], start: usize) {
        let groups = first..first + LANES;
        let mut keys = [Self::IDENTITY; LANES];
        keys.copy_from_slice(&self.keys[groups.clone()]);
        for (values, present) in runs {
            let (values, here) = (&values[start..start + LANES], present.part(start..start + LANES));
            for k in 0..LANES {
                keys[k] = Self::better(keys[k], Self::key_if(here.has(k, values[k]), values[k]));
            }
        }
        self.keys[groups.clone()].copy_from_slice(&keys);
        // A loop of its own, as above.
        let mut seen = [false; LANES];
        for (values, present) in runs {
            let (values, here) = (&values[start..start + LANES], present.part(start..start + LANES));
            for k in 0..LANES {
                seen[k] |= here.has(k, values[k]);
            }
        }
        for (all, seen) in self.seen[groups].iter_mut().zip(seen) {
            *all |= u8::from(seen);
        }
    }

    #[inline(always)]
    fn labelled<P: Presence>(&mut self, base: usize, labels: &[u32], stride: usize, values: &[T], present: P) {
        for (k, (&label, &value)) in labels.iter().zip(values).enumerate() {
            let (group, has) = (base + label as usize * stride, present.has(k, value));
            self.keys[group] = Self::better(self.keys[group], Self::key_if(has, value));
            self.seen[group] |= u8::from(has);
        }
    }
}

/// The best key of the cells that count, and whether there is one.
#[inline(always)]
pub(crate) fn extreme_of<T: Ordered, P: Presence, const GREATEST: bool>(values: &[T], present: P) -> (T::Key, bool) {
    let mut keys = [Extremes::<T, GREATEST>::IDENTITY; LANES];
    let rows = values.chunks_exact(LANES);
    let (rest, whole) = (rows.remainder(), values.len() / LANES * LANES);
    for (row, start) in rows.zip((0..).step_by(LANES)) {
        let here = present.part(start..start + LANES);
        for k in 0..LANES {
            let key = Extremes::<T, GREATEST>::key_if(here.has(k, row[k]), row[k]);
            keys[k] = Extremes::<T, GREATEST>::better(keys[k], key);
        }
    }
    let here = present.part(whole..values.len());
    for (k, &value) in rest.iter().enumerate() {
        keys[k] = Extremes::<T, GREATEST>::better(keys[k], Extremes::<T, GREATEST>::key_if(here.has(k, value), value));
    }
    let best = keys.into_iter().fold(Extremes::<T, GREATEST>::IDENTITY, Extremes::<T, GREATEST>::better);
    // The key that loses to all others is a value too, of integers: then the cells are looked at.
    let seen =
        best != Extremes::<T, GREATEST>::IDENTITY || values.iter().enumerate().any(|(k, &value)| present.has(k, value));
    (best, seen)
}

macro_rules! ordered_integer {
    ($($T:ty),*) => { $(impl Ordered for $T {
        type Key = $T;
        const LEAST: $T = <$T>::MIN;
        const GREATEST: $T = <$T>::MAX;

        #[inline(always)]
        fn key(self) -> $T {
            self
        }

        #[inline(always)]
        fn value(key: $T) -> $T {
            key
        }
    })* };
}
ordered_integer!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! ordered_float {
    ($T:ty, $Key:ty) => {
        impl Ordered for $T {
            type Key = $Key;
            const LEAST: $Key = <$Key>::MIN;
            const GREATEST: $Key = <$Key>::MAX;

            // Of negative numbers the greater bits are the lesser number: all but the sign are turned over, which is
            // the total order of IEEE 754, and its own inverse.
            #[inline(always)]
            fn key(self) -> $Key {
                let bits = self.to_bits() as $Key;
                bits ^ ((bits >> (<$Key>::BITS - 1)) & <$Key>::MAX)
            }

            #[inline(always)]
            fn value(key: $Key) -> $T {
                <$T>::from_bits((key ^ ((key >> (<$Key>::BITS - 1)) & <$Key>::MAX)) as _)
            }
        }
    };
}
ordered_float!(f32, i32);
ordered_float!(f64, i64);
