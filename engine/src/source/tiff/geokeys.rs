//! The reference system, out of the keys of GeoTIFF.

use super::directory::Directory;
use super::tags;

const MODEL_TYPE: u64 = 1024;
const RASTER_TYPE: u64 = 1025;
const GEODETIC: u64 = 2048;
const PROJECTED: u64 = 3072;
const VERTICAL: u64 = 4096;
const VERTICAL_CITATION: u64 = 4097;
const VERTICAL_DATUM: u64 = 4098;

/// "It is none that has a code."
const USER_DEFINED: u64 = 32767;

/// What the keys say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct GeoKeys {
    /// The EPSG code of the horizontal system.
    pub epsg: Option<u32>,
    /// Whether heights have a reference system too, and its EPSG code.
    pub vertical: Option<Option<u32>>,
    /// Whether tie points are about the middle of a cell.
    pub pixel_is_point: bool,
}

/// The keys of a directory.
pub(super) fn of(directory: &Directory) -> GeoKeys {
    parse(&directory.numbers(tags::GEO_KEY_DIRECTORY))
}

fn parse(numbers: &[u64]) -> GeoKeys {
    let Some((head, entries)) = numbers.split_at_checked(4) else { return GeoKeys::default() };
    let count = usize::try_from(head[3]).unwrap_or(usize::MAX);
    let entries: Vec<&[u64]> = entries.chunks_exact(4).take(count).collect();
    let entry = |key: u64| entries.iter().find(|entry| entry[0] == key);
    // A value that stands in the entry itself: its place is 0.
    let value = |key: u64| entry(key).filter(|entry| entry[1] == 0).map(|entry| entry[3]);
    let code = |key: u64| value(key).filter(|&code| code != 0 && code < USER_DEFINED).map(|code| code as u32);
    let epsg = match value(MODEL_TYPE) {
        Some(1) => code(PROJECTED),
        Some(2) => code(GEODETIC),
        // Of earth-centred systems, and of none, pictures are not.
        Some(_) => None,
        None => code(PROJECTED).or_else(|| code(GEODETIC).filter(|_| entry(PROJECTED).is_none())),
    };
    let is_compound = code(VERTICAL).is_some() || code(VERTICAL_DATUM).is_some() || entry(VERTICAL_CITATION).is_some();
    GeoKeys { epsg, vertical: is_compound.then(|| code(VERTICAL)), pixel_is_point: value(RASTER_TYPE) == Some(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[[u64; 4]], epsg: Option<u32>, vertical: Option<Option<u32>>, pixel_is_point: bool) {
        let mut numbers = vec![1, 1, 0, entries.len() as u64];
        numbers.extend(entries.iter().flatten());
        assert_eq!(parse(&numbers), GeoKeys { epsg, vertical, pixel_is_point }, "{entries:?}");
    }

    #[test]
    fn systems() {
        check(&[[1024, 0, 1, 1], [1025, 0, 1, 1], [3072, 0, 1, 32633]], Some(32633), None, false);
        check(&[[1024, 0, 1, 2], [1025, 0, 1, 2], [2048, 0, 1, 4326]], Some(4326), None, true);
        check(&[[1024, 0, 1, 1], [2048, 0, 1, 4326], [3072, 0, 1, 32767]], None, None, false);
        check(&[[1024, 0, 1, 1], [3072, 0, 1, 32617], [4096, 0, 1, 3855]], Some(32617), Some(Some(3855)), false);
        check(&[[1024, 0, 1, 2], [2048, 0, 1, 6318], [4097, 34737, 7, 0]], Some(6318), Some(None), false);
        check(&[[1024, 0, 1, 1], [3072, 34736, 1, 32633]], None, None, false);
    }

    #[test]
    fn keys_that_are_cut_off() {
        assert_eq!(parse(&[]), GeoKeys::default());
        assert_eq!(parse(&[1, 1, 0, 65535, 1024, 0, 1]), GeoKeys::default());
    }
}
