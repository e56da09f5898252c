//! The grids that datasets are taken to.

use super::crs::{Crs, Transformer};
use super::geobox::{Affine, GeoBox};

/// Places along each side of a box that are taken elsewhere to see how large it is there.
const SAMPLES: u32 = 21;

/// Cells along a side, at most.
const LENGTH_MAX: f64 = (1u64 << 31) as f64;

/// How far the square of Web Mercator goes.
const WEB_MERCATOR_MAX: f64 = 20_037_508.342_789_244;

/// The grid in another system that covers a box, with about as many cells or with cells of that size.
///
/// # Errors
/// A message, where the box lies nowhere in that system or would have too many cells.
pub fn suggested(source: &GeoBox, crs: &Crs, resolution: Option<f64>) -> Result<GeoBox, String> {
    if *crs == source.crs && resolution.is_none() {
        return Ok(source.clone());
    }
    let [left, bottom, right, top] = bounds_in(source, crs)?;
    let size = match resolution {
        Some(size) => size,
        None => {
            diagonal(source, crs).unwrap_or((right - left).hypot(top - bottom))
                / (source.width as f64).hypot(source.height as f64)
        }
    };
    let cells = |length: f64| ((length / size + 0.5).floor()).max(1.0);
    let (width, height) = match resolution {
        Some(_) => (((right - left) / size - 1e-6).ceil().max(1.0), ((top - bottom) / size - 1e-6).ceil().max(1.0)),
        None => (cells(right - left), cells(top - bottom)),
    };
    sized(crs, Affine::north_up(left, top, size, size), width, height)
}

/// The grid of cells of that size, on multiples of it, that covers bounds (left, bottom, right, top).
///
/// # Errors
/// A message, where there would be too many cells, or none.
pub fn covering(crs: &Crs, [left, bottom, right, top]: [f64; 4], size: f64) -> Result<GeoBox, String> {
    if !(left < right && bottom < top) {
        return Err(format!("bounds: expected left, bottom, right and top, found {left}, {bottom}, {right}, {top}"));
    }
    let low = |place: f64| (place / size + 1e-6).floor();
    let high = |place: f64| (place / size - 1e-6).ceil();
    let (first, last) = ((low(left), high(top)), (high(right), low(bottom)));
    let transform = Affine::north_up(first.0 * size, first.1 * size, size, size);
    sized(crs, transform, last.0 - first.0, first.1 - last.1)
}

fn sized(crs: &Crs, transform: Affine, width: f64, height: f64) -> Result<GeoBox, String> {
    if !(width.is_finite() && height.is_finite() && width <= LENGTH_MAX && height <= LENGTH_MAX) {
        return Err(format!("{} with cells of {}: {height} × {width} cells are too many", crs.name(), transform.0[1]));
    }
    Ok(GeoBox { crs: crs.clone(), transform, width: width.max(1.0) as u64, height: height.max(1.0) as u64 })
}

/// The bounds of a box in another system (left, bottom, right, top).
pub fn bounds_in(source: &GeoBox, crs: &Crs) -> Result<[f64; 4], String> {
    let way = Transformer::new(&source.crs, crs)?;
    let mut all = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for row in 0..=SAMPLES {
        for column in 0..=SAMPLES {
            let share = |step: u32, length: u64| f64::from(step) / f64::from(SAMPLES) * length as f64;
            let (x, y) = source.transform.apply(share(column, source.width), share(row, source.height));
            let Some((x, y)) = way.apply(x, y) else { continue };
            all = [all[0].min(x), all[1].min(y), all[2].max(x), all[3].max(y)];
        }
    }
    if crs.name() == "EPSG:3857" {
        let kept = |place: f64| place.clamp(-WEB_MERCATOR_MAX, WEB_MERCATOR_MAX);
        all = all.map(kept);
    }
    let is_area = all.iter().all(|side| side.is_finite()) && all[0] < all[2] && all[1] < all[3];
    if is_area { Ok(all) } else { Err(format!("it lies nowhere in {}", crs.name())) }
}

/// From the first corner to the last one, in the other system.
fn diagonal(source: &GeoBox, crs: &Crs) -> Option<f64> {
    let way = Transformer::new(&source.crs, crs).ok()?;
    let corner = |column: f64, row: f64| {
        let (x, y) = source.transform.apply(column, row);
        way.apply(x, y).filter(|(x, y)| crs.name() != "EPSG:3857" || x.abs().max(y.abs()) <= WEB_MERCATOR_MAX * 1.001)
    };
    let (first, last) = (corner(0.0, 0.0)?, corner(source.width as f64, source.height as f64)?);
    Some((last.0 - first.0).hypot(last.1 - first.1)).filter(|&length| length > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_lie_on_multiples() -> Result<(), String> {
        let crs = Crs::parse("EPSG:32633")?;
        let found = covering(&crs, [15.0, 21.0, 61.0, 99.9], 10.0)?;
        assert_eq!((found.width, found.height, found.transform), (6, 8, Affine::north_up(10.0, 100.0, 10.0, 10.0)));
        assert!(covering(&crs, [5.0, 0.0, 1.0, 2.0], 1.0).is_err());
        assert!(covering(&crs, [0.0, 0.0, 1e15, 1e15], 1.0).is_err());
        Ok(())
    }

    #[test]
    fn the_world_has_an_end_in_web_mercator() -> Result<(), String> {
        let world = GeoBox {
            crs: Crs::parse("EPSG:4326")?,
            transform: Affine::north_up(-180.0, 90.0, 1.0, 1.0),
            width: 360,
            height: 180,
        };
        let found = suggested(&world, &Crs::parse("EPSG:3857")?, None)?;
        assert!(found.bounds().iter().all(|side| side.abs() < 20_200_000.0), "{found:?}");
        assert_eq!(suggested(&world, &world.crs, None)?, world);
        Ok(())
    }
}
