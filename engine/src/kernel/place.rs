//! Where the cells of a block lie in the whole array.

/// The place of a block in the whole array: gives each cell its flat index there.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    first: u64,
    /// For each dimension, or dimensions that lie together in both: the length in the block, and the distance in the
    /// whole array between neighbours.
    steps: Vec<(usize, u64)>,
}

impl Place {
    /// The place of a box of shape `block` whose first cell is `origin` in an array of shape `whole`.
    pub(crate) fn new(block: &[usize], origin: &[usize], whole: &[usize]) -> Self {
        let (mut first, mut stride) = (0u64, 1u64);
        let mut steps: Vec<(usize, u64)> = Vec::with_capacity(whole.len());
        for ((&length, &start), &all) in block.iter().zip(origin).zip(whole).rev() {
            first += start as u64 * stride;
            match steps.last_mut() {
                Some((inner, step)) if *step * *inner as u64 == stride => *inner *= length,
                _ => steps.push((length, stride)),
            }
            stride *= all as u64;
        }
        steps.reverse();
        Self { first, steps }
    }

    /// The number of cells of the block.
    pub(crate) fn cells(&self) -> usize {
        self.steps.iter().map(|(length, _)| length).product()
    }

    /// The flat index of the block's first cell.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The flat index of the block's last cell.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.steps.iter().map(|&(length, step)| length.saturating_sub(1) as u64 * step).sum::<u64>()
    }

    /// The flat index of a cell, and how many cells, itself included, follow each other from there.
    pub(crate) fn locate(&self, cell: usize) -> (u64, usize) {
        let (mut rest, mut index, mut together) = (cell, self.first, 1);
        for (depth, &(length, step)) in self.steps.iter().rev().enumerate() {
            let position = rest % length;
            if depth == 0 && step == 1 {
                together = length - position;
            }
            index += position as u64 * step;
            rest /= length;
        }
        (index, together)
    }
}
