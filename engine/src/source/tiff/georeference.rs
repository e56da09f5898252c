//! Where a picture lies on the ground.

use super::directory::Directory;
use super::{geokeys, tags};

/// Place and reference system of a picture.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Georeference {
    /// GDAL's six numbers, for the corner of the first cell.
    pub transform: Option<[f64; 6]>,
    /// The EPSG code of the horizontal system.
    pub epsg: Option<u32>,
    /// The system as `EPSG:32633` or `EPSG:32633+3855`, or as `+proj=sinu …` where it has no code.
    pub crs: Option<String>,
    /// Whether values are those of points.
    pub pixel_is_point: bool,
}

/// What a directory says, read as GDAL reads it.
pub(super) fn of(directory: &Directory) -> Georeference {
    let keys = geokeys::of(directory);
    let tie_points = directory.floats(tags::MODEL_TIEPOINT);
    let transform = transform(
        &directory.floats(tags::MODEL_PIXEL_SCALE),
        &tie_points,
        &directory.floats(tags::MODEL_TRANSFORMATION),
        keys.pixel_is_point,
    );
    let transform = transform.filter(|transform| transform.iter().all(|number| number.is_finite()));
    // With many tie points alone the reference system is that of these, and the cells lie in none.
    let is_tied = transform.is_none() && tie_points.len() > 6;
    let epsg = keys.epsg.filter(|_| !is_tied);
    let named = epsg.and_then(|code| match keys.vertical {
        None => Some(format!("EPSG:{code}")),
        Some(Some(vertical)) => Some(format!("EPSG:{code}+{vertical}")),
        Some(None) => None,
    });
    let crs = named.or(keys.proj.filter(|_| !is_tied));
    Georeference { transform, epsg, crs, pixel_is_point: keys.pixel_is_point }
}

fn transform(scale: &[f64], tie_points: &[f64], matrix: &[f64], pixel_is_point: bool) -> Option<[f64; 6]> {
    let corner = match (scale, matrix) {
        ([x, y, ..], _) if *x != 0.0 && *y != 0.0 => {
            // The signs of heights of cells are not to be relied on: north is up.
            let (x_by_column, y_by_row) = (*x, -y.abs());
            let [column, row, _, x, y, _] = *tie_points.first_chunk()?;
            [x - column * x_by_column, x_by_column, 0.0, y - row * y_by_row, 0.0, y_by_row]
        }
        (_, [a, b, _, d, e, f, _, h, ..]) if matrix.len() == 16 => [*d, *a, *b, *h, *e, *f],
        _ => return None,
    };
    if !pixel_is_point {
        return Some(corner);
    }
    let [x, x_by_column, x_by_row, y, y_by_column, y_by_row] = corner;
    let half = |by_column: f64, by_row: f64| 0.5 * by_column + 0.5 * by_row;
    Some([
        x - half(x_by_column, x_by_row),
        x_by_column,
        x_by_row,
        y - half(y_by_column, y_by_row),
        y_by_column,
        y_by_row,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_and_tie_point() {
        let found = transform(&[10.0, 20.0, 0.0], &[1.0, 2.0, 0.0, 500.0, 1000.0, 0.0], &[], false);
        assert_eq!(found, Some([490.0, 10.0, 0.0, 1040.0, 0.0, -20.0]));
        let found = transform(&[10.0, -20.0, 0.0], &[0.0, 0.0, 0.0, 500.0, 1000.0, 0.0], &[], true);
        assert_eq!(found, Some([495.0, 10.0, 0.0, 1010.0, 0.0, -20.0]));
        assert_eq!(transform(&[10.0, 20.0], &[1.0, 2.0], &[], false), None);
    }

    #[test]
    fn matrix() {
        let mut matrix = [0.0; 16];
        matrix[..8].copy_from_slice(&[2.0, 0.5, 0.0, 100.0, 0.25, -2.0, 0.0, 200.0]);
        assert_eq!(transform(&[], &[], &matrix, false), Some([100.0, 2.0, 0.5, 200.0, 0.25, -2.0]));
        assert_eq!(transform(&[], &[], &matrix[..12], false), None);
    }
}
