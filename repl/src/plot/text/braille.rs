//! Dots, eight to a character.

/// A grid of dots, each character with the number of the line that last touched it.
#[derive(Debug, Clone)]
pub(super) struct Dots {
    columns: usize,
    bits: Vec<u8>,
    owners: Vec<usize>,
}

impl Dots {
    /// No dot set, in that many characters.
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        Self { columns, bits: vec![0; columns * rows], owners: vec![0; columns * rows] }
    }

    /// Sets the dots of a straight line, two dots a column and four a row of characters.
    pub(super) fn line(&mut self, from: (i64, i64), to: (i64, i64), owner: usize) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1);
        for step in 0..=steps {
            let along =
                |start: i64, end: i64| start + ((end - start) as f64 * step as f64 / steps as f64).round() as i64;
            self.set((along(from.0, to.0), along(from.1, to.1)), owner);
        }
    }

    /// The characters and owners of a row; characters without a dot are blanks.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (char, usize)> {
        let range = row * self.columns..(row + 1) * self.columns;
        self.bits[range.clone()].iter().zip(&self.owners[range]).map(|(&bits, &owner)| match bits {
            0 => (' ', owner),
            bits => (char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' '), owner),
        })
    }

    fn set(&mut self, dot: (i64, i64), owner: usize) {
        let (Ok(x), Ok(y)) = (usize::try_from(dot.0), usize::try_from(dot.1)) else { return };
        // Dots of a character are numbered down the left column, down the right one, then along the last row.
        let bit = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]][y % 4][x % 2];
        let index = y / 4 * self.columns + x / 2;
        if x / 2 < self.columns && index < self.bits.len() {
            self.bits[index] |= bit;
            self.owners[index] = owner;
        }
    }
}
