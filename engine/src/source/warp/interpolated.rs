//! The places of many cells from those of a few: projections are smooth, so that a polynomial through some places of a
//! window gives all others, far below what a kernel can tell. Where it does not, every place is projected.
//!
//! Chebyshev nodes and barycentric weights: Berrut and Trefethen, Barycentric Lagrange Interpolation, SIAM Review 46 (2004).

use std::f64::consts::PI;

/// Places along each side that the polynomial goes through.
const NODES: usize = 9;

/// How far a place may be from where it is projected to, in cells.
const ERROR_MAX: f64 = 1e-8;

/// Places along each side at which that is looked at.
const PROBES: usize = 5;

/// Cells of a window that are worth it.
const CELLS_MIN: usize = 4096;

/// A rectangle of places: the first one, and how many there are along columns and rows; they are 1 apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rectangle {
    /// The first column and row.
    pub first: (f64, f64),
    /// Places along a row.
    pub width: usize,
    /// Rows of places.
    pub height: usize,
}

/// The images of the places of a rectangle, row by row; `None` where they cannot be told from those of a few.
pub(super) fn images(rectangle: Rectangle, image: impl Fn(f64, f64) -> (f64, f64)) -> Option<Vec<(f64, f64)>> {
    let Rectangle { first, width, height } = rectangle;
    if width < 2 || height < 2 || width.saturating_mul(height) < CELLS_MIN {
        return None;
    }
    let (columns, rows) = (Line::new(first.0, width), Line::new(first.1, height));
    let mut of_nodes = [[(0.0, 0.0); NODES]; NODES];
    for (row, images) in of_nodes.iter_mut().enumerate() {
        for (column, place) in images.iter_mut().enumerate() {
            *place = image(columns.node(column), rows.node(row));
            if place.0.is_nan() || place.1.is_nan() {
                return None;
            }
        }
    }
    let interpolated = |column: f64, row: f64| along(&across(&of_nodes, &rows.weights(row)), &columns.weights(column));
    for row in 0..PROBES {
        for column in 0..PROBES {
            let (x, y) = (columns.probe(column), rows.probe(row));
            let (found, expected) = (interpolated(x, y), image(x, y));
            let is_near = (found.0 - expected.0).abs() <= ERROR_MAX && (found.1 - expected.1).abs() <= ERROR_MAX;
            if !is_near {
                return None;
            }
        }
    }
    let weights: Vec<[f64; NODES]> = (0..width).map(|column| columns.weights(first.0 + column as f64)).collect();
    let mut images = Vec::with_capacity(width * height);
    for row in 0..height {
        let of_row = across(&of_nodes, &rows.weights(first.1 + row as f64));
        images.extend(weights.iter().map(|weights| along(&of_row, weights)));
    }
    Some(images)
}

/// The images of the nodes of a row.
fn across(nodes: &[[(f64, f64); NODES]; NODES], weights: &[f64; NODES]) -> [(f64, f64); NODES] {
    let mut row = [(0.0, 0.0); NODES];
    for (of_node, weight) in nodes.iter().zip(weights) {
        for (sum, place) in row.iter_mut().zip(of_node) {
            sum.0 += weight * place.0;
            sum.1 += weight * place.1;
        }
    }
    row
}

fn along(row: &[(f64, f64); NODES], weights: &[f64; NODES]) -> (f64, f64) {
    row.iter()
        .zip(weights)
        .fold((0.0, 0.0), |sum, (place, weight)| (sum.0 + weight * place.0, sum.1 + weight * place.1))
}

/// Places along a side.
#[derive(Debug)]
struct Line {
    middle: f64,
    half: f64,
}

impl Line {
    fn new(first: f64, count: usize) -> Self {
        let half = (count - 1) as f64 / 2.0;
        Self { middle: first + half, half }
    }

    /// A Chebyshev point of the second kind.
    fn node(&self, number: usize) -> f64 {
        self.middle - self.half * (PI * number as f64 / (NODES - 1) as f64).cos()
    }

    fn probe(&self, number: usize) -> f64 {
        self.middle + self.half * ((number as f64 + 0.37) / PROBES as f64 * 2.0 - 1.0)
    }

    /// How much of each node there is in a place.
    fn weights(&self, place: f64) -> [f64; NODES] {
        let mut weights = [0.0; NODES];
        let mut sum = 0.0;
        for (number, weight) in weights.iter_mut().enumerate() {
            let distance = place - self.node(number);
            if distance == 0.0 {
                let mut only = [0.0; NODES];
                only[number] = 1.0;
                return only;
            }
            let sign = if number % 2 == 0 { 1.0 } else { -1.0 };
            let is_end = number == 0 || number == NODES - 1;
            *weight = sign * if is_end { 0.5 } else { 1.0 } / distance;
            sum += *weight;
        }
        weights.map(|weight| weight / sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Rectangle = Rectangle { first: (1000.5, 2000.5), width: 200, height: 100 };

    #[test]
    fn smooth_ways_are_told_from_a_few_places() {
        let calls = std::cell::Cell::new(0);
        let way = |x: f64, y: f64| {
            calls.set(calls.get() + 1);
            (x * 1.01 + (y / 5000.0).sin() * 30.0, y - 1e-5 * x * x + x * y * 1e-7)
        };
        let found = images(WINDOW, way).unwrap_or_default();
        assert_eq!((found.len(), calls.get()), (20_000, NODES * NODES + PROBES * PROBES));
        for (number, found) in found.iter().enumerate() {
            let expected = way(1000.5 + (number % 200) as f64, 2000.5 + (number / 200) as f64);
            assert!((found.0 - expected.0).abs() < 1e-8 && (found.1 - expected.1).abs() < 1e-8, "{number}: {found:?}");
        }
    }

    #[test]
    fn others_are_not() {
        // A jump, a corner, a place that is nowhere, and too few cells.
        assert!(images(WINDOW, |x, y| (x.rem_euclid(1100.0), y)).is_none());
        assert!(images(WINDOW, |x, y| ((x - 1111.1).abs(), y)).is_none());
        assert!(images(WINDOW, |x, y| (x, if y > 2050.0 { f64::NAN } else { y })).is_none());
        assert!(images(Rectangle { width: 20, ..WINDOW }, |x, y| (x, y)).is_none());
    }
}
