//! The cells that all scenes of a stack are taken to.

use super::request::StackRequest;
use crate::source::warp::{Affine, Crs, GeoBox, bounds_in, covering};

/// How far apart two sides are still the same, as a share of a cell.
const SAME: f64 = 1e-6;

/// The grid of a cube: what was asked for, or what the scenes have in common.
///
/// # Errors
/// A message that says which argument is wanted.
pub(super) fn grid(request: &StackRequest, searched: Option<[f64; 4]>, scenes: &[GeoBox]) -> Result<GeoBox, String> {
    let crs = match &request.crs {
        Some(crs) => crs.clone(),
        None => common_crs(scenes)?,
    };
    let here: Vec<&GeoBox> = scenes.iter().filter(|scene| scene.crs == crs).collect();
    let finest = here.iter().map(|scene| scene.transform.cell_size()).map(|(x, y)| x.min(y)).reduce(f64::min);
    let size = request.resolution.or(finest).ok_or_else(|| {
        format!("stack: expected `resolution` in units of {}: no scene lies in it that could tell", crs.name())
    })?;
    let bounds = match (request.bounds, request.bbox.or(searched)) {
        (Some(bounds), _) => bounds,
        (None, Some(bbox)) => bounds_in(&degrees(bbox)?, &crs).map_err(|message| format!("`bbox`: {message}"))?,
        (None, None) => union(scenes, &crs)?,
    };
    // Cells of a size that nobody told lie on those of the scenes; others on multiples of their size, as odc-stac has it.
    let (x, y) = match request.resolution {
        None => common_corner(&here, size).unwrap_or((0.0, 0.0)),
        Some(_) => (0.0, 0.0),
    };
    let [left, bottom, right, top] = bounds;
    let mut found = covering(&crs, [left - x, bottom - y, right - x, top - y], size)?;
    let Affine(numbers) = &mut found.transform;
    numbers[0] += x;
    numbers[3] += y;
    Ok(found)
}

fn common_crs(scenes: &[GeoBox]) -> Result<Crs, String> {
    let Some(first) = scenes.first() else {
        return Err("stack: expected `crs`: there is no scene that could tell".to_string());
    };
    match scenes.iter().find(|scene| scene.crs != first.crs) {
        None => Ok(first.crs.clone()),
        Some(other) => {
            Err(format!("stack: expected `crs`: scenes lie in {} and in {}", first.crs.name(), other.crs.name()))
        }
    }
}

/// A rectangle of degrees; one whose west is east of its east goes round the back of the world.
fn degrees([west, south, east, north]: [f64; 4]) -> Result<GeoBox, String> {
    let east = if east < west { east + 360.0 } else { east };
    let transform = Affine::north_up(west, north, east - west, north - south);
    Ok(GeoBox { crs: Crs::epsg(4326)?, transform, width: 1, height: 1 })
}

/// The bounds of all scenes.
fn union(scenes: &[GeoBox], crs: &Crs) -> Result<[f64; 4], String> {
    let mut all: Option<[f64; 4]> = None;
    for scene in scenes {
        let here = bounds_in(scene, crs)?;
        let before = all.unwrap_or(here);
        all = Some([before[0].min(here[0]), before[1].min(here[1]), before[2].max(here[2]), before[3].max(here[3])]);
    }
    all.ok_or_else(|| "stack: expected `bbox`: there is no scene that could tell".to_string())
}

/// Where the corners of cells lie, if all scenes with cells of that size agree.
fn common_corner(scenes: &[&GeoBox], size: f64) -> Option<(f64, f64)> {
    let is_same = |a: f64, b: f64| (a - b).abs() <= SAME * size;
    let mut alike = scenes.iter().filter(|scene| {
        let [_, x_by_column, x_by_row, _, y_by_column, y_by_row] = scene.transform.0;
        is_same(x_by_column.abs(), size) && is_same(y_by_row.abs(), size) && (x_by_row, y_by_column) == (0.0, 0.0)
    });
    let corner = |scene: &GeoBox| {
        let rest = |place: f64| {
            let rest = place.rem_euclid(size);
            if is_same(rest, size) || is_same(rest, 0.0) { 0.0 } else { rest }
        };
        (rest(scene.transform.0[0]), rest(scene.transform.0[3]))
    };
    let first = corner(alike.next()?);
    let agrees = |scene: &&GeoBox| {
        let other = corner(scene);
        is_same(first.0, other.0) && is_same(first.1, other.1)
    };
    alike.all(agrees).then_some(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scene(code: u32, left: f64, top: f64, size: f64) -> Result<GeoBox, String> {
        let transform = Affine::north_up(left, top, size, size);
        Ok(GeoBox { crs: Crs::epsg(code)?, transform, width: 100, height: 50 })
    }

    fn request(given: &serde_json::Value) -> Result<StackRequest, String> {
        StackRequest::parse(given.as_object().ok_or("no object")?)
    }

    #[test]
    fn scenes_tell_what_nobody_said() -> Result<(), String> {
        let scenes = [scene(32633, 500_015.0, 6_000_015.0, 30.0)?, scene(32633, 500_615.0, 6_000_315.0, 30.0)?];
        let found = grid(&request(&json!({"assets": "a"}))?, None, &scenes)?;
        assert_eq!(found.transform, Affine::north_up(500_015.0, 6_000_315.0, 30.0, 30.0));
        assert_eq!((found.width, found.height), (120, 60));
        let found = grid(&request(&json!({"assets": "a", "resolution": 30}))?, None, &scenes)?;
        assert_eq!(found.transform, Affine::north_up(500_010.0, 6_000_330.0, 30.0, 30.0));
        // Scenes that do not agree: multiples of the size.
        let scenes = [scene(32633, 500_000.0, 6_000_000.0, 10.0)?, scene(32633, 500_004.0, 6_000_000.0, 10.0)?];
        let found = grid(
            &request(&json!({"assets": "a", "bounds": [500_001, 5_999_000, 500_019, 5_999_100]}))?,
            None,
            &scenes,
        )?;
        assert_eq!(found.transform, Affine::north_up(500_000.0, 5_999_100.0, 10.0, 10.0));
        assert_eq!((found.width, found.height), (2, 10));
        Ok(())
    }

    #[test]
    fn what_is_wanted_is_named() -> Result<(), String> {
        let scenes = [scene(32633, 5e5, 6e6, 10.0)?, scene(32632, 5e5, 6e6, 10.0)?];
        for (given, expected) in
            [(json!({"assets": "a"}), "EPSG:32632"), (json!({"assets": "a", "crs": "EPSG:3857"}), "resolution")]
        {
            let message = grid(&request(&given)?, None, &scenes).err().unwrap_or_default();
            assert!(message.contains(expected), "{given}: {message}");
        }
        let around = json!({"assets": "a", "crs": "EPSG:3857", "resolution": 1000, "bbox": [9.0, 50.0, 9.1, 50.1]});
        let found = grid(&request(&around)?, None, &scenes)?;
        assert_eq!((found.width, found.height), (13, 18));
        Ok(())
    }
}
