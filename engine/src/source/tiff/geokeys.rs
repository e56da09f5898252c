//! The reference system, out of the keys of GeoTIFF.

use super::directory::Directory;
use super::projection::{self, Keys};
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
    /// The horizontal system in the words of PROJ, where it has no code.
    pub proj: Option<String>,
    /// The EPSG code of the horizontal system.
    pub epsg: Option<u32>,
    /// Whether heights have a reference system too, and its EPSG code.
    pub vertical: Option<Option<u32>>,
    /// Whether tie points are about the middle of a cell.
    pub pixel_is_point: bool,
}

/// The keys of a directory.
pub(super) fn of(directory: &Directory) -> GeoKeys {
    parse(&directory.numbers(tags::GEO_KEY_DIRECTORY), &directory.floats(tags::GEO_FLOATS))
}

/// The entries of keys, and the floats that some of them refer to.
struct Entries<'a> {
    entries: Vec<&'a [u64]>,
    floats: &'a [f64],
}

impl Entries<'_> {
    fn entry(&self, key: u64) -> Option<&[u64]> {
        self.entries.iter().find(|entry| entry[0] == key).copied()
    }
}

impl Keys for Entries<'_> {
    /// A value that stands in the entry itself: its place is 0.
    fn code(&self, key: u64) -> Option<u64> {
        self.entry(key).filter(|entry| entry[1] == 0).map(|entry| entry[3])
    }

    fn float(&self, key: u64) -> Option<f64> {
        let entry = self.entry(key).filter(|entry| entry[1] == u64::from(tags::GEO_FLOATS))?;
        self.floats.get(usize::try_from(entry[3]).ok()?).copied().filter(|number| number.is_finite())
    }
}

fn parse(numbers: &[u64], floats: &[f64]) -> GeoKeys {
    let Some((head, entries)) = numbers.split_at_checked(4) else { return GeoKeys::default() };
    let count = usize::try_from(head[3]).unwrap_or(usize::MAX);
    let keys = Entries { entries: entries.chunks_exact(4).take(count).collect(), floats };
    let (entry, value) = (|key: u64| keys.entry(key), |key: u64| keys.code(key));
    let code = |key: u64| value(key).filter(|&code| code != 0 && code < USER_DEFINED).map(|code| code as u32);
    let epsg = match value(MODEL_TYPE) {
        Some(1) => code(PROJECTED),
        Some(2) => code(GEODETIC),
        // Of earth-centred systems, and of none, pictures are not.
        Some(_) => None,
        None => code(PROJECTED).or_else(|| code(GEODETIC).filter(|_| entry(PROJECTED).is_none())),
    };
    let is_compound = code(VERTICAL).is_some() || code(VERTICAL_DATUM).is_some() || entry(VERTICAL_CITATION).is_some();
    let is_unnamed = epsg.is_none() && value(MODEL_TYPE) == Some(1);
    GeoKeys {
        epsg,
        proj: if is_unnamed { projection::of(&keys) } else { None },
        vertical: is_compound.then(|| code(VERTICAL)),
        pixel_is_point: value(RASTER_TYPE) == Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[[u64; 4]], epsg: Option<u32>, vertical: Option<Option<u32>>, pixel_is_point: bool) {
        let mut numbers = vec![1, 1, 0, entries.len() as u64];
        numbers.extend(entries.iter().flatten());
        assert_eq!(parse(&numbers, &[]), GeoKeys { epsg, proj: None, vertical, pixel_is_point }, "{entries:?}");
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
        assert_eq!(parse(&[], &[]), GeoKeys::default());
        assert_eq!(parse(&[1, 1, 0, 65535, 1024, 0, 1], &[]), GeoKeys::default());
    }
}
