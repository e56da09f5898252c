//! Kernels: a cell from the cells around a place. All of it is sync and knows no source.

use std::fmt;

use arrow::datatypes::DataType;

/// What is below this is rounding, not a weight.
const WEIGHT_MIN: f64 = 1e-5;

/// Below this share of the source's resolution kernels grow, so that no cell of the source is left out.
const GROWS_BELOW: f64 = 0.95;

/// How a cell is computed from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// That in which the place lies.
    Nearest,
    /// Of the four around it, by distance.
    Bilinear,
    /// Of the sixteen around it, by cubic convolution (a = -0.5).
    Cubic,
    /// The mean of those that the cell covers, by area.
    Average,
}

impl Method {
    /// The method of that name.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "nearest" => Ok(Self::Nearest),
            "bilinear" => Ok(Self::Bilinear),
            "cubic" => Ok(Self::Cubic),
            "average" => Ok(Self::Average),
            other => Err(format!("resampling: expected nearest, bilinear, cubic or average, found `{other}`")),
        }
    }

    /// Cells on each side of a place that it may want, where kernels do not grow.
    fn reach(self) -> f64 {
        match self {
            Self::Nearest | Self::Average => 1.0,
            Self::Bilinear => 1.0,
            Self::Cubic => 2.0,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
            Self::Cubic => "cubic",
            Self::Average => "average",
        })
    }
}

/// How the cells of a variable are computed, and what comes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Resampler {
    method: Method,
    data_type: DataType,
    nan_is_missing: bool,
}

impl Resampler {
    /// Numbers are computed as floats; whatever is no number (texts, times) is taken from where a place lies.
    pub fn of(method: Method, data_type: &DataType, nan_is_missing: bool) -> Self {
        let (method, data_type, nan_is_missing) = match (method, data_type) {
            (Method::Nearest, kept) => (Method::Nearest, kept.clone(), nan_is_missing),
            (_, DataType::Float32) => (method, DataType::Float32, true),
            (_, other) if other.is_numeric() => (method, DataType::Float64, true),
            (_, kept) => (Method::Nearest, kept.clone(), nan_is_missing),
        };
        Self { method, data_type, nan_is_missing }
    }

    /// How.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The type of what comes of it.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Whether what is missing is a NaN among it.
    pub fn nan_is_missing(&self) -> bool {
        self.nan_is_missing
    }
}

/// Cells along a line that a kernel of a method may reach from a place, on each side.
pub fn reach(method: Method, scale: f64) -> f64 {
    let reach = method.reach();
    if grows(scale) && method != Method::Nearest { (reach / scale).ceil() } else { reach }
}

fn grows(scale: f64) -> bool {
    scale < GROWS_BELOW
}

/// A box of the cells of a source; a missing one is a NaN. What lies outside of it lies outside of the source.
#[derive(Debug)]
pub struct Plane<'a> {
    /// The cells, row by row.
    pub values: &'a [f64],
    /// Cells of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// The cell that a place lies in along a line of so many cells.
pub fn cell_at(place: f64, length: usize) -> Option<usize> {
    // The place of the last cell's end is in it, and rounding does not lead to the cell before.
    if !(place >= 0.0 && place + 1e-10 <= length as f64 + 2e-10) || length == 0 {
        return None;
    }
    Some(((place + 1e-10).floor() as usize).min(length - 1))
}

impl Plane<'_> {
    fn at(&self, column: usize, row: usize) -> f64 {
        self.values.get(row * self.width + column).copied().unwrap_or(f64::NAN)
    }

    /// The value at a place; NaN where there is none. `scale` is the target's resolution as a share of the source's, along
    /// columns and rows.
    pub fn sample(&self, method: Method, (x, y): (f64, f64), scale: (f64, f64)) -> f64 {
        let (Some(column), Some(row)) = (cell_at(x, self.width), cell_at(y, self.height)) else { return f64::NAN };
        let here = self.at(column, row);
        if here.is_nan() {
            return f64::NAN;
        }
        match method {
            Method::Nearest | Method::Average => here,
            _ if grows(scale.0) || grows(scale.1) => self.wide(method, (x, y), scale),
            Method::Bilinear => self.bilinear(x, y),
            Method::Cubic => self.cubic(x, y),
        }
    }

    fn bilinear(&self, x: f64, y: f64) -> f64 {
        let (left, top) = ((x - 0.5).floor(), (y - 0.5).floor());
        let (right_weight, bottom_weight) = (x - 0.5 - left, y - 0.5 - top);
        let mut sum = Weighted::default();
        for (row, row_weight) in [(top, 1.0 - bottom_weight), (top + 1.0, bottom_weight)] {
            for (column, column_weight) in [(left, 1.0 - right_weight), (left + 1.0, right_weight)] {
                sum.add(self.inside(column, row), row_weight * column_weight);
            }
        }
        sum.mean(WEIGHT_MIN)
    }

    /// Where one of the sixteen cells is missing there is no curve through them: then it is [`Plane::bilinear`].
    fn cubic(&self, x: f64, y: f64) -> f64 {
        let (left, top) = ((x - 0.5).floor(), (y - 0.5).floor());
        let (along_x, along_y) = (cubic_weights(x - 0.5 - left), cubic_weights(y - 0.5 - top));
        let mut sum = 0.0;
        for (row, row_weight) in (-1..=2).zip(along_y) {
            let mut of_row = 0.0;
            for (column, column_weight) in (-1..=2).zip(along_x) {
                let value = self.inside(left + f64::from(column), top + f64::from(row));
                if value.is_nan() {
                    return self.bilinear(x, y);
                }
                of_row += value * column_weight;
            }
            sum += of_row * row_weight;
        }
        sum
    }

    /// A kernel as wide as a cell of the target.
    fn wide(&self, method: Method, (x, y): (f64, f64), scale: (f64, f64)) -> f64 {
        let kernel = if method == Method::Cubic { cubic } else { triangle };
        let span = |place: f64, scale: f64, length: usize| {
            let first = (place - 0.5).floor();
            let radius = if grows(scale) { (method.reach() / scale).ceil() } else { method.reach() };
            let low = (first + 1.0 - radius).max(0.0) as usize;
            let high = ((first + radius).max(-1.0) + 1.0).min(length as f64) as usize;
            let narrow = if grows(scale) { scale } else { 1.0 };
            (low..high).map(move |cell| (cell, kernel((cell as f64 - (place - 0.5)) * narrow))).collect::<Vec<_>>()
        };
        let (columns, rows) = (span(x, scale.0, self.width), span(y, scale.1, self.height));
        let mut sum = Weighted::default();
        for &(row, row_weight) in &rows {
            for &(column, column_weight) in &columns {
                sum.add(self.at(column, row), row_weight * column_weight);
            }
        }
        sum.mean(1e-6)
    }

    /// The mean over the cells that a box covers, from left, top, right and bottom; NaN where none is there.
    pub fn average(&self, [left, top, right, bottom]: [f64; 4]) -> f64 {
        let (Some(columns), Some(rows)) = (covered(left, right, self.width), covered(top, bottom, self.height)) else {
            return f64::NAN;
        };
        let mut sum = Weighted::default();
        for (row, row_weight) in rows {
            for &(column, column_weight) in &columns {
                sum.add(self.at(column, row), row_weight * column_weight);
            }
        }
        sum.mean(0.0)
    }

    fn inside(&self, column: f64, row: f64) -> f64 {
        let is_inside = column >= 0.0 && row >= 0.0 && column < self.width as f64 && row < self.height as f64;
        if is_inside { self.at(column as usize, row as usize) } else { f64::NAN }
    }
}

/// The cells along a line that lie between two places, and how much of each does.
fn covered(low: f64, high: f64, length: usize) -> Option<Vec<(usize, f64)>> {
    if low.is_nan() || high.is_nan() {
        return None;
    }
    let (low, high) = (low.max(0.0), high.min(length as f64));
    if low >= high {
        return None;
    }
    let first = (low + 1e-10).floor() as usize;
    let last = ((high - 1e-10).ceil() as usize).clamp(first + 1, length.max(first + 1));
    let share = |cell: usize| (high.min(cell as f64 + 1.0) - low.max(cell as f64)).clamp(0.0, 1.0);
    Some((first..last).map(|cell| (cell, share(cell))).collect())
}

/// A sum of what is there, by weights.
#[derive(Debug, Default)]
struct Weighted {
    sum: f64,
    weight: f64,
}

impl Weighted {
    fn add(&mut self, value: f64, weight: f64) {
        if !value.is_nan() {
            self.sum += value * weight;
            self.weight += weight;
        }
    }

    /// The mean, where there is weight enough.
    fn mean(&self, least: f64) -> f64 {
        match self.weight > least {
            false => f64::NAN,
            true if (self.weight - 1.0).abs() < WEIGHT_MIN => self.sum,
            true => self.sum / self.weight,
        }
    }
}

fn triangle(distance: f64) -> f64 {
    (1.0 - distance.abs()).max(0.0)
}

fn cubic(distance: f64) -> f64 {
    let x = distance.abs();
    match x {
        x if x <= 1.0 => x * x * (1.5 * x - 2.5) + 1.0,
        x if x <= 2.0 => x * x * (-0.5 * x + 2.5) - 4.0 * x + 2.0,
        _ => 0.0,
    }
}

/// The weights of the four cells along a line, for a place between the second and the third.
fn cubic_weights(fraction: f64) -> [f64; 4] {
    [-1.0, 0.0, 1.0, 2.0].map(|cell| cubic(cell - fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(values: &[f64]) -> Plane<'_> {
        Plane { values, width: 4, height: 4 }
    }

    #[test]
    fn a_slope_stays_a_slope() {
        let values: Vec<f64> = (0..16).map(|cell| f64::from(cell % 4) + 10.0 * f64::from(cell / 4)).collect();
        for method in [Method::Bilinear, Method::Cubic] {
            let found = plane(&values).sample(method, (2.25, 1.75), (1.0, 1.0));
            assert!((found - (1.75 + 12.5)).abs() < 1e-12, "{method}: {found}");
        }
        assert_eq!(plane(&values).sample(Method::Nearest, (2.25, 1.75), (1.0, 1.0)), 12.0);
        assert!((plane(&values).average([0.5, 0.0, 2.0, 1.0]) - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn missing_cells_have_no_weight() {
        let mut values = vec![1.0; 16];
        values[6] = f64::NAN;
        values[5] = 3.0;
        let found = plane(&values).sample(Method::Bilinear, (1.75, 1.75), (1.0, 1.0));
        let weights = (0.75 * 0.75, 0.75 * 0.25 + 0.25 * 0.25);
        assert!((found - (3.0 * weights.0 + weights.1) / (weights.0 + weights.1)).abs() < 1e-12, "{found}");
        assert!(plane(&values).sample(Method::Cubic, (2.5, 1.5), (1.0, 1.0)).is_nan());
        assert!(plane(&values).sample(Method::Nearest, (4.1, 1.5), (1.0, 1.0)).is_nan());
        assert!(plane(&values).average([2.0, 1.0, 3.0, 2.0]).is_nan());
        // A cell that is nowhere on the ground covers nothing.
        assert!(plane(&values).average([f64::NAN; 4]).is_nan());
    }
}
