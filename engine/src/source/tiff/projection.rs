//! A reference system that has no code, in the words of PROJ.

use std::fmt::Write;

/// The keys of the parts of a system.
const GEODETIC: u64 = 2048;
const ANGULAR_UNITS: u64 = 2054;
const ELLIPSOID: u64 = 2056;
const SEMI_MAJOR_AXIS: u64 = 2057;
const SEMI_MINOR_AXIS: u64 = 2058;
const INVERSE_FLATTENING: u64 = 2059;
const PRIME_MERIDIAN: u64 = 2061;
const PROJECTION: u64 = 3074;
const METHOD: u64 = 3075;
const LINEAR_UNITS: u64 = 3076;
const STANDARD_PARALLEL_1: u64 = 3078;
const STANDARD_PARALLEL_2: u64 = 3079;
const NATURAL_LONGITUDE: u64 = 3080;
const NATURAL_LATITUDE: u64 = 3081;
const FALSE_EASTING: u64 = 3082;
const FALSE_NORTHING: u64 = 3083;
const FALSE_ORIGIN_LONGITUDE: u64 = 3084;
const FALSE_ORIGIN_LATITUDE: u64 = 3085;
const FALSE_ORIGIN_EASTING: u64 = 3086;
const FALSE_ORIGIN_NORTHING: u64 = 3087;
const CENTRE_LONGITUDE: u64 = 3088;
const CENTRE_LATITUDE: u64 = 3089;
const SCALE: u64 = 3092;

/// Keys that have a number: a code, or a float.
pub(super) trait Keys {
    /// The code of a key.
    fn code(&self, key: u64) -> Option<u64>;
    /// The float of a key.
    fn float(&self, key: u64) -> Option<f64>;
}

/// The projection that keys describe, where it is one of those that are common and its lengths are metres: of others there
/// is nothing to say.
pub(super) fn of(keys: &impl Keys) -> Option<String> {
    if keys.code(LINEAR_UNITS).is_some_and(|unit| unit != 9001)
        || keys.code(ANGULAR_UNITS).is_some_and(|unit| unit != 9102)
        || keys.float(PRIME_MERIDIAN).is_some_and(|meridian| meridian != 0.0)
    {
        return None;
    }
    let mut text = match keys.code(PROJECTION) {
        Some(code @ (16001..=16060 | 16101..=16160)) => {
            let south = if code > 16100 { " +south" } else { "" };
            format!("+proj=utm +zone={}{south}", code % 100)
        }
        _ => projected(keys)?,
    };
    write!(text, "{} +units=m +no_defs", ellipsoid(keys)?).ok()?;
    Some(text)
}

fn projected(keys: &impl Keys) -> Option<String> {
    let first = |names: &[u64]| names.iter().find_map(|&name| keys.float(name)).unwrap_or(0.0);
    let longitude = first(&[NATURAL_LONGITUDE, FALSE_ORIGIN_LONGITUDE, CENTRE_LONGITUDE]);
    let latitude = first(&[NATURAL_LATITUDE, FALSE_ORIGIN_LATITUDE, CENTRE_LATITUDE]);
    let easting = first(&[FALSE_EASTING, FALSE_ORIGIN_EASTING]);
    let northing = first(&[FALSE_NORTHING, FALSE_ORIGIN_NORTHING]);
    let (parallel, other) = (keys.float(STANDARD_PARALLEL_1), keys.float(STANDARD_PARALLEL_2));
    let scale = keys.float(SCALE).unwrap_or(1.0);
    let shape = match keys.code(METHOD)? {
        1 => format!("+proj=tmerc +lat_0={latitude} +lon_0={longitude} +k={scale}"),
        7 => match parallel {
            Some(parallel) => format!("+proj=merc +lon_0={longitude} +lat_ts={parallel}"),
            None => format!("+proj=merc +lon_0={longitude} +k={scale}"),
        },
        8 => format!("+proj=lcc +lat_1={} +lat_2={} +lat_0={latitude} +lon_0={longitude}", parallel?, other?),
        9 => format!("+proj=lcc +lat_1={latitude} +lat_0={latitude} +lon_0={longitude} +k_0={scale}"),
        10 => format!("+proj=laea +lat_0={latitude} +lon_0={longitude}"),
        11 => format!("+proj=aea +lat_1={} +lat_2={} +lat_0={latitude} +lon_0={longitude}", parallel?, other?),
        17 => format!("+proj=eqc +lat_ts={} +lat_0={latitude} +lon_0={longitude}", parallel.unwrap_or(0.0)),
        24 => format!("+proj=sinu +lon_0={longitude}"),
        _ => return None,
    };
    Some(format!("{shape} +x_0={easting} +y_0={northing}"))
}

fn ellipsoid(keys: &impl Keys) -> Option<String> {
    match (keys.float(SEMI_MAJOR_AXIS), keys.float(INVERSE_FLATTENING), keys.float(SEMI_MINOR_AXIS)) {
        (Some(axis), Some(flattening), _) if flattening > 1.0 && axis > 0.0 => {
            Some(format!(" +a={axis} +rf={flattening}"))
        }
        (Some(axis), _, Some(minor)) if axis == minor && axis > 0.0 => Some(format!(" +R={axis}")),
        (Some(axis), _, Some(minor)) if axis > 0.0 && minor > 0.0 => Some(format!(" +a={axis} +b={minor}")),
        (Some(axis), _, None) if axis > 0.0 && keys.float(INVERSE_FLATTENING) == Some(0.0) => {
            Some(format!(" +R={axis}"))
        }
        _ => match (keys.code(GEODETIC), keys.code(ELLIPSOID)) {
            (Some(4326), _) => Some(" +datum=WGS84".to_string()),
            (Some(4269 | 4258), _) | (_, Some(7019)) => Some(" +ellps=GRS80".to_string()),
            (_, Some(7030)) => Some(" +ellps=WGS84".to_string()),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Default)]
    struct Given(BTreeMap<u64, f64>);

    impl Keys for Given {
        fn code(&self, key: u64) -> Option<u64> {
            self.0.get(&key).map(|&number| number as u64)
        }

        fn float(&self, key: u64) -> Option<f64> {
            self.0.get(&key).copied()
        }
    }

    fn check(keys: &[(u64, f64)], expected: Option<&str>) {
        let given = Given(keys.iter().copied().collect());
        assert_eq!(of(&given).as_deref(), expected, "{keys:?}");
    }

    #[test]
    fn systems_without_a_code() {
        let sphere = [(2057, 6371007.181), (2058, 6371007.181), (3076, 9001.0)];
        let sinusoidal = [&sphere[..], &[(3075, 24.0), (3080, 0.0)]].concat();
        check(&sinusoidal, Some("+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs"));
        check(&[(3074, 16133.0), (2048, 4326.0)], Some("+proj=utm +zone=33 +south +datum=WGS84 +units=m +no_defs"));
        let albers = [(3075, 11.0), (3078, 29.5), (3079, 45.5), (3084, -96.0), (3085, 23.0), (2056, 7019.0)];
        let expected =
            "+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-96 +x_0=0 +y_0=0 +ellps=GRS80 +units=m +no_defs";
        check(&albers, Some(expected));
        check(&albers[..2], None);
        check(&[(3075, 24.0), (3076, 9002.0), (2056, 7030.0)], None);
        check(&[(3075, 26.0), (2056, 7030.0)], None);
        check(&[(3075, 24.0)], None);
    }
}
