//! Where the cells of one grid lie in another.

use super::crs::Transformer;
use super::geobox::{Affine, GeoBox};
use super::interpolated::{Rectangle, images};
use super::resample::{Method, reach};

/// Rows and columns of a grid, as (first, one past the last).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows.
    pub rows: (u64, u64),
    /// Columns.
    pub columns: (u64, u64),
}

impl Window {
    /// Rows in it.
    pub fn height(&self) -> usize {
        (self.rows.1 - self.rows.0) as usize
    }

    /// Columns in it.
    pub fn width(&self) -> usize {
        (self.columns.1 - self.columns.0) as usize
    }

    /// The cells that both have; `None` where they have none in common.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let span = |a: (u64, u64), b: (u64, u64)| {
            let (low, high) = (a.0.max(b.0), a.1.min(b.1));
            (low < high).then_some((low, high))
        };
        Some(Self { rows: span(self.rows, other.rows)?, columns: span(self.columns, other.columns)? })
    }
}

/// The places of a window's cells in the source, as columns and rows from the corner of its first cell: of the middles of
/// the cells or, to average, of all corners of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    places: Vec<(f64, f64)>,
    width: usize,
    corners: bool,
}

/// The way from the cells of one grid to those of another.
#[derive(Debug)]
pub struct Way {
    to_ground: Affine,
    between: Transformer,
    to_cells: Affine,
    /// Where longitudes begin in the source, if they are.
    first_longitude: Option<f64>,
    /// The target's resolution as a share of the source's, along columns and rows.
    pub scale: (f64, f64),
    /// Whether the cells of both lie on each other.
    pub is_aligned: bool,
}

impl Way {
    /// From the cells of `target` to those of `source`.
    pub fn new(source: &GeoBox, target: &GeoBox) -> Result<Self, String> {
        let to_cells = source.transform.inverse().ok_or("its cells have no area")?;
        let between = Transformer::new(&target.crs, &source.crs)?;
        let first_longitude = (source.crs.is_geographic() && !between.is_identity()).then(|| source.bounds()[0]);
        let mut way = Self {
            to_ground: target.transform,
            between,
            to_cells,
            first_longitude,
            scale: (1.0, 1.0),
            is_aligned: false,
        };
        way.is_aligned = way.is_aligned_at(target);
        way.scale = way.scale_in(source, target);
        Ok(way)
    }

    /// The place of a column and a row of the target in the source; NaN where it is not on the ground.
    pub fn place(&self, column: f64, row: f64) -> (f64, f64) {
        let (x, y) = self.to_ground.apply(column, row);
        let Some((mut x, y)) = self.between.apply(x, y) else { return (f64::NAN, f64::NAN) };
        if let Some(first) = self.first_longitude {
            x = first + (x - first).rem_euclid(360.0);
        }
        let place = self.to_cells.apply(x, y);
        // Where cells lie on each other, rounding does not move them.
        if self.is_aligned { (to_half(place.0), to_half(place.1)) } else { place }
    }

    fn is_aligned_at(&self, target: &GeoBox) -> bool {
        if !self.between.is_identity() {
            return false;
        }
        let place = |column: f64, row: f64| {
            let (x, y) = target.transform.apply(column, row);
            self.to_cells.apply(x, y)
        };
        let (width, height) = (target.width as f64, target.height as f64);
        let (first, last) = (place(0.0, 0.0), place(width, height));
        let is_whole = |number: f64| (number - number.round()).abs() < 1e-6;
        is_whole(first.0)
            && is_whole(first.1)
            && (last.0 - first.0 - width).abs() < 1e-6
            && (last.1 - first.1 - height).abs() < 1e-6
    }

    /// Measured in the middle of where the two meet.
    fn scale_in(&self, source: &GeoBox, target: &GeoBox) -> (f64, f64) {
        let middle = || {
            let forth = Transformer::new(&source.crs, &target.crs).ok()?;
            let (x, y) = source.transform.apply(source.width as f64 / 2.0, source.height as f64 / 2.0);
            let (x, y) = forth.apply(x, y)?;
            Some(target.transform.inverse()?.apply(x, y))
        };
        let inside = |(column, row): &(f64, f64)| {
            (0.0..=target.width as f64).contains(column) && (0.0..=target.height as f64).contains(row)
        };
        let own = (target.width as f64 / 2.0, target.height as f64 / 2.0);
        let (column, row) = middle().filter(inside).unwrap_or(own);
        let (left, right) = (self.place(column - 0.5, row), self.place(column + 0.5, row));
        let (top, bottom) = (self.place(column, row - 0.5), self.place(column, row + 0.5));
        // How far one cell of the target goes along columns and along rows of the source.
        let along = |a: (f64, f64), b: (f64, f64)| ((b.0 - a.0).abs(), (b.1 - a.1).abs());
        let (by_column, by_row) = (along(left, right), along(top, bottom));
        let share = |cells: f64| if cells.is_finite() && cells > 1e-9 { 1.0 / cells } else { 1.0 };
        let rounded = |scale: f64| if (scale - 1.0).abs() < 1e-9 { 1.0 } else { scale };
        (rounded(share(by_column.0.max(by_row.0))), rounded(share(by_column.1.max(by_row.1))))
    }

    /// The places of a window's cells.
    pub fn places(&self, window: &Window, method: Method) -> Places {
        let corners = method == Method::Average && !self.is_aligned;
        let (extra, shift) = if corners { (1, 0.0) } else { (0, 0.5) };
        let (width, height) = (window.width() + extra, window.height() + extra);
        let first = (window.columns.0 as f64 + shift, window.rows.0 as f64 + shift);
        let exact = || {
            let rows = (0..height).map(|row| first.1 + row as f64);
            rows.flat_map(|y| (0..width).map(move |column| self.place(first.0 + column as f64, y))).collect()
        };
        let from_a_few = match self.between.is_identity() {
            true => None,
            false => images(Rectangle { first, width, height }, |column, row| self.place(column, row)),
        };
        let places = from_a_few.unwrap_or_else(exact);
        Places { places, width, corners }
    }
}

/// A place that is at a half or a whole but for rounding.
fn to_half(place: f64) -> f64 {
    (place * 2.0).round() / 2.0
}

impl Places {
    /// Whether they are those of corners.
    pub fn are_corners(&self) -> bool {
        self.corners
    }

    /// Bytes of memory.
    pub fn memory_size(&self) -> usize {
        self.places.len() * size_of::<(f64, f64)>()
    }

    /// The place of the middle of a cell, by its number in the window.
    pub fn middle(&self, cell: usize) -> (f64, f64) {
        self.places.get(cell).copied().unwrap_or((f64::NAN, f64::NAN))
    }

    /// The box around the corners of a cell: left, top, right and bottom.
    pub fn covered(&self, column: usize, row: usize) -> [f64; 4] {
        let at = |column: usize, row: usize| self.middle(row * self.width + column);
        let corners = [at(column, row), at(column + 1, row), at(column, row + 1), at(column + 1, row + 1)];
        if corners.iter().any(|(x, y)| x.is_nan() || y.is_nan()) {
            return [f64::NAN; 4];
        }
        corners.iter().fold([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], |all, &(x, y)| {
            [all[0].min(x), all[1].min(y), all[2].max(x), all[3].max(y)]
        })
    }

    /// The cells of a source of that size which a kernel wants; `None` where it wants none.
    pub fn wanted(&self, method: Method, way: &Way, width: u64, height: u64) -> Option<Window> {
        let margin = |scale: f64| match method {
            Method::Nearest | Method::Average => 0.0,
            _ if way.is_aligned => 0.0,
            other => reach(other, scale),
        };
        let (margin_x, margin_y) = (margin(way.scale.0), margin(way.scale.1));
        let (width, height) = (width as f64, height as f64);
        let mut all: Option<[f64; 4]> = None;
        for &(x, y) in &self.places {
            // A corner outside may be that of a cell which is half inside.
            let is_inside = (0.0..=width).contains(&x) && (0.0..=height).contains(&y);
            if x.is_nan() || y.is_nan() || !(is_inside || self.corners) {
                continue;
            }
            let [left, top, right, bottom] = all.unwrap_or([x, y, x, y]);
            all = Some([left.min(x), top.min(y), right.max(x), bottom.max(y)]);
        }
        let [left, top, right, bottom] = all?;
        let span = |low: f64, high: f64, margin: f64, length: f64| {
            // The cells that hold the places, and those that a kernel reaches from their middles.
            let (low, high) = match margin > 0.0 {
                true => ((low - 0.5).floor() + 1.0 - margin, (high - 0.5).floor() + 1.0 + margin),
                false => ((low + 1e-10).floor(), ((high + 1e-10).floor() + f64::from(!self.corners)).max(high.ceil())),
            };
            let (low, high) = (low.clamp(0.0, length), high.clamp(0.0, length));
            let low = low.min((length - 1.0).max(0.0));
            (low < high).then_some((low as u64, high as u64))
        };
        Some(Window { columns: span(left, right, margin_x, width)?, rows: span(top, bottom, margin_y, height)? })
    }
}
