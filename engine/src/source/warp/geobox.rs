//! Boxes of cells on the ground.

use super::crs::Crs;

/// How a place in a grid becomes a place on the ground: GDAL's six numbers, for the corner of the first cell, so that
/// x = t[0] + column * t[1] + row * t[2] and y = t[3] + column * t[4] + row * t[5].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine(pub [f64; 6]);

impl Affine {
    /// Columns to the right and rows downwards from a corner.
    pub fn north_up(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self([x, width, 0.0, y, 0.0, -height])
    }

    /// The place of a column and a row.
    pub fn apply(&self, column: f64, row: f64) -> (f64, f64) {
        let t = &self.0;
        (t[0] + column * t[1] + row * t[2], t[3] + column * t[4] + row * t[5])
    }

    /// The way back; `None` where cells have no area.
    pub fn inverse(&self) -> Option<Self> {
        let [c, a, b, f, d, e] = self.0;
        let area = a * e - b * d;
        if !area.is_finite() || area == 0.0 {
            return None;
        }
        let (ia, ib, id, ie) = (e / area, -b / area, -d / area, a / area);
        Some(Self([-(ia * c + ib * f), ia, ib, -(id * c + ie * f), id, ie]))
    }

    /// The lengths of a column and of a row.
    pub fn cell_size(&self) -> (f64, f64) {
        (self.0[1].hypot(self.0[4]), self.0[2].hypot(self.0[5]))
    }
}

/// A grid of cells on the ground.
#[derive(Debug, Clone, PartialEq)]
pub struct GeoBox {
    /// The reference system.
    pub crs: Crs,
    /// Where its cells are.
    pub transform: Affine,
    /// Columns.
    pub width: u64,
    /// Rows.
    pub height: u64,
}

impl GeoBox {
    /// What its dimensions of rows and columns are called.
    pub fn dimension_names(&self) -> (&'static str, &'static str) {
        if self.crs.is_geographic() { ("lat", "lon") } else { ("y", "x") }
    }

    /// The smallest and the largest x and y, as (left, bottom, right, top).
    pub fn bounds(&self) -> [f64; 4] {
        let (width, height) = (self.width as f64, self.height as f64);
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)];
        let corners = corners.map(|(column, row)| self.transform.apply(column, row));
        let fold = |start: f64, pick: fn(f64, f64) -> f64, of: fn(&(f64, f64)) -> f64| {
            corners.iter().map(of).fold(start, pick)
        };
        [
            fold(f64::INFINITY, f64::min, |place| place.0),
            fold(f64::INFINITY, f64::min, |place| place.1),
            fold(f64::NEG_INFINITY, f64::max, |place| place.0),
            fold(f64::NEG_INFINITY, f64::max, |place| place.1),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() -> Result<(), String> {
        let askew = Affine([100.0, 2.0, 0.5, 50.0, -0.25, -3.0]);
        let back = askew.inverse().ok_or("no inverse")?;
        let (x, y) = askew.apply(7.0, 11.0);
        let (column, row) = back.apply(x, y);
        assert!((column - 7.0).abs() < 1e-12 && (row - 11.0).abs() < 1e-12, "{column} {row}");
        assert_eq!(Affine([0.0; 6]).inverse(), None);
        Ok(())
    }
}
