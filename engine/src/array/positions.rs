//! The cells of a dimension that a query reads.

use std::sync::Arc;

/// Positions along a dimension of a source, strictly increasing. What a query sees is numbered anew, from 0: the
/// *selected* position `i` stands for the *source* position [`Positions::source`]`(i)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Positions {
    /// `count` positions from `start`, `step` apart (at least 1).
    Range {
        /// The first position.
        start: u64,
        /// How many.
        count: u64,
        /// From one to the next.
        step: u64,
    },
    /// Any positions, strictly increasing.
    List(Arc<[u64]>),
}

impl Positions {
    /// All of `length` positions.
    pub fn all(length: u64) -> Self {
        Self::Range { start: 0, count: length, step: 1 }
    }

    /// The given positions, strictly increasing, in the tightest form.
    pub fn of(positions: Vec<u64>) -> Self {
        let start = positions.first().copied().unwrap_or(0);
        let step = match positions.as_slice() {
            [first, second, ..] => second - first,
            _ => 1,
        };
        let regular = positions.windows(2).all(|pair| pair[1] - pair[0] == step);
        match regular {
            true => Self::Range { start, count: positions.len() as u64, step },
            false => Self::List(positions.into()),
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        match self {
            Self::Range { count, .. } => *count,
            Self::List(positions) => positions.len() as u64,
        }
    }

    /// The source position of a selected one.
    pub fn source(&self, selected: u64) -> u64 {
        match self {
            Self::Range { start, step, .. } => start + selected * step,
            Self::List(positions) => positions[selected as usize],
        }
    }

    /// Every source position, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.count()).map(|selected| self.source(selected))
    }

    /// The selected positions whose source position lies in `low..high`, as a half-open range.
    pub fn selected_between(&self, low: u64, high: u64) -> (u64, u64) {
        match self {
            Self::Range { start, count, step } => {
                let before = |bound: u64| bound.saturating_sub(*start).div_ceil(*step).min(*count);
                (before(low), before(high).max(before(low)))
            }
            Self::List(positions) => {
                let before = |bound: u64| positions.partition_point(|&position| position < bound) as u64;
                (before(low), before(high))
            }
        }
    }

    /// The positions chosen by `keep` of the selected ones.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(u64) -> bool) -> Self {
        Self::of((0..self.count()).filter(|&selected| keep(selected)).map(|selected| self.source(selected)).collect())
    }

    /// The selected positions `start`, `start + step` … (`count` of them).
    #[must_use]
    pub fn slice(&self, start: u64, count: u64, step: u64) -> Self {
        match self {
            Self::Range { start: first, step: stride, .. } => {
                Self::Range { start: first + start * stride, count, step: stride * step }
            }
            Self::List(_) => Self::of((0..count).map(|k| self.source(start + k * step)).collect()),
        }
    }

    /// The chunks of so many positions that hold one of them, by their index.
    #[must_use]
    pub fn in_chunks(&self, length: u64) -> Self {
        match self {
            _ if self.count() == 0 => Self::all(0),
            Self::Range { start, count, step } if *step <= length => {
                let (first, last) = (start / length, (start + (count - 1) * step) / length);
                Self::Range { start: first, count: last - first + 1, step: 1 }
            }
            _ => {
                let mut chunks: Vec<u64> = self.iter().map(|position| position / length).collect();
                chunks.dedup();
                Self::of(chunks)
            }
        }
    }

    /// Whether the source positions follow each other without a gap.
    pub fn is_contiguous(&self) -> bool {
        matches!(self, Self::Range { step: 1, .. }) || self.count() <= 1
    }
}
