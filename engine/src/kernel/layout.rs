//! Which group every cell of a block belongs to.

use std::ops::Range;
use std::sync::Arc;

use super::error::KernelError;
use super::place::Place;

/// What the position along one dimension of a block contributes to the group index.
#[derive(Debug, Clone)]
pub enum AxisGroups {
    /// Every position belongs to the same group: the dimension is reduced.
    Collapsed,
    /// Position `p` contributes `(first + p) * stride`.
    Identity {
        /// The group coordinate of the block's first position.
        first: usize,
        /// Groups between one coordinate and the next.
        stride: usize,
    },
    /// Position `p` contributes `labels[p] * stride`.
    Labelled {
        /// The group coordinate of each position.
        labels: Arc<[u32]>,
        /// Groups between one coordinate and the next.
        stride: usize,
    },
}

/// The groups of the cells of one block, in C order.
#[derive(Debug, Clone)]
pub struct BlockLayout {
    cells: usize,
    /// What the dimensions that do not vary contribute.
    base: usize,
    /// The dimensions that vary, merged as far as possible; the last one makes the runs.
    axes: Vec<Axis>,
    /// One more than the greatest group.
    bound: usize,
    fault: Option<String>,
    place: Option<Place>,
}

/// Neighbouring cells, as many as share a simple rule for their groups.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// Flat indexes of the cells in the block.
    pub cells: Range<usize>,
    /// The groups they belong to.
    pub groups: RunGroups<'a>,
}

/// Runs that follow each other and belong to the same consecutive groups, or a single run of any kind.
#[derive(Debug, Clone)]
pub struct Stack<'a> {
    /// The first run.
    pub first: Run<'a>,
    /// How many there are, one behind the other.
    pub count: usize,
}

/// The groups of the cells of a run.
#[derive(Debug, Clone, Copy)]
pub enum RunGroups<'a> {
    /// All cells belong to one group.
    One(usize),
    /// The k-th cell belongs to the group this many after the first.
    Consecutive(usize),
    /// The k-th cell belongs to group `base + labels[k] * stride`.
    Labelled {
        /// What the other dimensions contribute.
        base: usize,
        /// One label for each cell of the run.
        labels: &'a [u32],
        /// Groups between one label and the next.
        stride: usize,
    },
}

#[derive(Debug, Clone)]
struct Axis {
    length: usize,
    step: Step,
}

#[derive(Debug, Clone)]
enum Step {
    Collapsed,
    Stride(usize),
    Labels(Arc<[u32]>, usize),
}

impl BlockLayout {
    /// The layout of a block of `shape`, with one entry of `axes` for each dimension. A mismatch between the two is
    /// told by the accumulator that is given the layout.
    pub fn new(shape: Vec<usize>, axes: Vec<AxisGroups>) -> Self {
        let mut layout = Self {
            cells: shape.iter().product(),
            base: 0,
            axes: Vec::with_capacity(shape.len()),
            bound: 0,
            fault: None,
            place: None,
        };
        if shape.len() != axes.len() {
            layout.fault = Some(format!("{} dimensions, but groups for {}", shape.len(), axes.len()));
            return layout;
        }
        let mut greatest = 0;
        for (length, groups) in shape.into_iter().zip(axes) {
            if let AxisGroups::Labelled { labels, .. } = &groups
                && labels.len() != length
            {
                layout.fault = Some(format!("{} labels for {length} positions", labels.len()));
                return layout;
            }
            greatest += layout.push(length, groups);
        }
        layout.bound = if layout.cells == 0 { 0 } else { layout.base + greatest + 1 };
        layout.label_strided_runs();
        layout
    }

    /// Tells where the block lies in the whole array: its first cell's index and the array's shape, one entry of each
    /// for each dimension of the block. Aggregates that choose a cell need it to choose the first in C order when
    /// blocks come in any order; without it the first to arrive is chosen.
    pub fn placed(mut self, block: &[usize], origin: &[usize], whole: &[usize]) -> Self {
        let place = Place::new(block, origin, whole);
        if place.cells() != self.cells {
            self.fault = Some(format!("a block of {} cells placed as a box of shape {block:?}", self.cells));
        }
        self.place = Some(place);
        self
    }

    /// The number of cells of the block.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// Calls `visit` for each run, in C order. Trailing dimensions are merged as far as possible.
    #[inline(always)]
    pub fn for_each_run(&self, mut visit: impl FnMut(Run<'_>)) {
        self.for_each_stack(
            #[inline(always)]
            |stack| {
                for k in 0..stack.count {
                    visit(stack.run(k));
                }
            },
        );
    }

    /// Calls `visit` for each run, in C order, but for those that follow each other and belong to the same consecutive
    /// groups: for these together.
    #[inline(always)]
    pub fn for_each_stack(&self, mut visit: impl FnMut(Stack<'_>)) {
        if self.cells == 0 || self.fault.is_some() {
            return;
        }
        let Some((inner, outer)) = self.axes.split_last() else {
            return visit(Stack { first: Run { cells: 0..1, groups: RunGroups::One(self.base) }, count: 1 });
        };
        let mut position = vec![0usize; outer.len()];
        let base_at = |position: &[usize]| {
            self.base + outer.iter().zip(position).map(|(axis, &p)| axis.contribution(p)).sum::<usize>()
        };
        let mut start = 0;
        while start < self.cells {
            let (base, mut count) = (base_at(&position), 1);
            let groups = match &inner.step {
                Step::Collapsed => RunGroups::One(base),
                Step::Stride(_) => RunGroups::Consecutive(base),
                Step::Labels(labels, stride) => RunGroups::Labelled { base, labels, stride: *stride },
            };
            advance(&mut position, outer);
            while matches!(inner.step, Step::Stride(_))
                && start + count * inner.length < self.cells
                && base_at(&position) == base
            {
                advance(&mut position, outer);
                count += 1;
            }
            visit(Stack { first: Run { cells: start..start + inner.length, groups }, count });
            start += count * inner.length;
        }
    }

    /// An error if the layout contradicts itself or leads beyond `groups`.
    pub(crate) fn check(&self, groups: usize) -> Result<(), KernelError> {
        if let Some(fault) = &self.fault {
            return Err(KernelError::Layout(fault.clone()));
        }
        if self.bound > groups {
            return Err(KernelError::Layout(format!("leads to group {}, of {groups} groups", self.bound - 1)));
        }
        Ok(())
    }

    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Adds a dimension, merged with the one before it where they make one; returns the most it contributes.
    fn push(&mut self, length: usize, groups: AxisGroups) -> usize {
        let last = length.saturating_sub(1);
        let (step, most) = match groups {
            AxisGroups::Collapsed => (Step::Collapsed, 0),
            AxisGroups::Identity { first, stride } => {
                self.base += first * stride;
                (Step::Stride(stride), last * stride)
            }
            AxisGroups::Labelled { labels, stride } => {
                let most = labels.iter().max().map_or(0, |&label| label as usize * stride);
                if length == 1 {
                    self.base += most;
                    return 0;
                }
                (Step::Labels(labels, stride), most)
            }
        };
        if length == 1 {
            return 0;
        }
        match (self.axes.last_mut(), &step) {
            (Some(Axis { length: outer, step: Step::Collapsed }), Step::Collapsed) => *outer *= length,
            (Some(Axis { length: outer, step: Step::Stride(wide) }), Step::Stride(narrow))
                if *wide == narrow * length =>
            {
                *outer *= length;
                *wide = *narrow;
            }
            _ => self.axes.push(Axis { length, step }),
        }
        most
    }

    /// Runs know consecutive groups and labels only, so a last dimension with another stride gets labels.
    fn label_strided_runs(&mut self) {
        if let Some(Axis { length, step }) = self.axes.last_mut()
            && let Step::Stride(stride) = *step
            && stride != 1
        {
            *step = match u32::try_from(*length) {
                Ok(length) => Step::Labels((0..length).collect(), stride),
                Err(_) => {
                    self.fault = Some(format!("{length} positions with a stride of {stride} groups"));
                    Step::Collapsed
                }
            };
        }
    }
}

impl<'a> Stack<'a> {
    /// The k-th run.
    #[inline(always)]
    pub fn run(&self, k: usize) -> Run<'a> {
        let cells =
            self.first.cells.start + k * self.first.cells.len()..self.first.cells.end + k * self.first.cells.len();
        Run { cells, groups: self.first.groups }
    }
}

impl<'a> RunGroups<'a> {
    /// The groups of the cells of the run from the `offset`-th on.
    #[inline(always)]
    pub fn skip(self, offset: usize) -> Self {
        match self {
            Self::One(group) => Self::One(group),
            Self::Consecutive(first) => Self::Consecutive(first + offset),
            Self::Labelled { base, labels, stride } => Self::Labelled { base, labels: &labels[offset..], stride },
        }
    }

    /// The group of the k-th cell of the run.
    #[inline(always)]
    pub fn group(&self, k: usize) -> usize {
        match *self {
            Self::One(group) => group,
            Self::Consecutive(first) => first + k,
            Self::Labelled { base, labels, stride } => base + labels[k] as usize * stride,
        }
    }
}

impl Axis {
    #[inline(always)]
    fn contribution(&self, position: usize) -> usize {
        match &self.step {
            Step::Collapsed => 0,
            Step::Stride(stride) => position * stride,
            Step::Labels(labels, stride) => labels[position] as usize * stride,
        }
    }
}

/// Steps to the next position of the outer dimensions, the last one fastest.
#[inline(always)]
fn advance(position: &mut [usize], axes: &[Axis]) {
    for (position, axis) in position.iter_mut().zip(axes).rev() {
        *position += 1;
        if *position < axis.length {
            return;
        }
        *position = 0;
    }
}
