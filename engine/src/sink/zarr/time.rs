//! CF units of times: the coarsest that every value fits exactly.

use chrono::{Datelike, NaiveDate, NaiveDateTime};

use super::cells::{Cells, Fill};

/// CF's names of units that are a fixed number of nanoseconds.
const UNITS: [(&str, i128); 7] = [
    ("days", 86_400_000_000_000),
    ("hours", 3_600_000_000_000),
    ("minutes", 60_000_000_000),
    ("seconds", 1_000_000_000),
    ("milliseconds", 1_000_000),
    ("microseconds", 1_000),
    ("nanoseconds", 1),
];

/// Units such as `days since 1970-01-01`, and how to bring ticks to them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeUnits {
    /// As it stands in the `units` attribute.
    pub(super) text: String,
    unit_ns: i128,
    /// From 1970-01-01 to the reference, nanoseconds.
    reference_ns: i128,
}

impl TimeUnits {
    /// Ticks since 1970-01-01 as they come, whatever they will be.
    pub(super) fn of_ticks(tick_ns: i64) -> Self {
        let tick = i128::from(tick_ns);
        let name = UNITS.iter().find(|(_, unit)| *unit == tick).map_or("nanoseconds", |(name, _)| name);
        Self { text: format!("{name} since 1970-01-01"), unit_ns: tick, reference_ns: 0 }
    }

    /// The units that were `wanted` (the source's, say) when every tick fits them exactly, else the coarsest ones since
    /// 1970-01-01 that do.
    pub(super) fn choose(cells: &Cells, missing: &Fill, tick_ns: i64, wanted: Option<&str>) -> Self {
        let of_epoch = UNITS.iter().map(|(name, unit_ns)| Self {
            text: format!("{name} since 1970-01-01"),
            unit_ns: *unit_ns,
            reference_ns: 0,
        });
        let tick = i128::from(tick_ns);
        let fits = |units: &Self| {
            ticks(cells, missing).all(|value| {
                let ns = i128::from(value) * tick - units.reference_ns;
                ns % units.unit_ns == 0 && i64::try_from(ns / units.unit_ns).is_ok_and(|n| n != i64::MIN)
            })
        };
        let mut candidates = wanted.and_then(Self::parse).into_iter().chain(of_epoch);
        candidates.find(fits).unwrap_or_else(|| Self::of_ticks(tick_ns))
    }

    /// Brings ticks to these units; missing cells stay.
    pub(super) fn apply(&self, cells: &mut Cells, missing: &Fill, tick_ns: i64) {
        let (Cells::Fixed { bytes, .. }, Fill::Fixed(missing)) = (cells, missing) else { return };
        for cell in bytes.chunks_exact_mut(8) {
            if cell != &missing[..] {
                let ns = i128::from(tick(cell)) * i128::from(tick_ns) - self.reference_ns;
                cell.copy_from_slice(&((ns / self.unit_ns) as i64).to_le_bytes());
            }
        }
    }

    /// Reads `days since 1950-01-01 00:00:00`. Years before 1583 are left alone: there calendars disagree.
    fn parse(text: &str) -> Option<Self> {
        let (unit, reference) = text.split_once(" since ")?;
        let unit = unit.trim().to_ascii_lowercase();
        let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit || name.strip_suffix('s') == Some(&unit))?;
        let reference = reference.trim().trim_end_matches("UTC").trim_end_matches('Z').trim().replace('T', " ");
        let at = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(&reference, format).ok())
            .or_else(|| NaiveDate::parse_from_str(&reference, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
            .filter(|at| (1583..3000).contains(&at.year()))?
            .and_utc();
        let reference_ns = i128::from(at.timestamp()) * 1_000_000_000 + i128::from(at.timestamp_subsec_nanos());
        Some(Self { text: text.to_string(), unit_ns: *unit_ns, reference_ns })
    }
}

fn tick(cell: &[u8]) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(cell);
    i64::from_le_bytes(bytes)
}

/// The ticks that are not missing.
fn ticks<'a>(cells: &'a Cells, missing: &'a Fill) -> impl Iterator<Item = i64> + 'a {
    let bytes = if let Cells::Fixed { bytes, .. } = cells { &bytes[..] } else { &[] };
    let missing = if let Fill::Fixed(missing) = missing { &missing[..] } else { &[] };
    bytes.chunks_exact(8).filter(move |cell| *cell != missing).map(tick)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn units_are_the_wanted_ones_or_the_coarsest_that_fit() {
        let missing = Fill::Fixed(i64::MIN.to_le_bytes().to_vec());
        let cells =
            |ticks: &[i64]| Cells::Fixed { width: 8, bytes: ticks.iter().flat_map(|t| t.to_le_bytes()).collect() };
        let day = 86_400_000_000;
        let check = |ticks: &[i64], wanted: Option<&str>, text: &str, expected: &[i64]| {
            let mut found = cells(ticks);
            let units = TimeUnits::choose(&found, &missing, 1_000, wanted);
            units.apply(&mut found, &missing, 1_000);
            assert_eq!((units.text.as_str(), found), (text, cells(expected)));
        };
        check(&[0, 5 * day, i64::MIN], None, "days since 1970-01-01", &[0, 5, i64::MIN]);
        check(&[day / 2], None, "hours since 1970-01-01", &[12]);
        check(&[-1], None, "microseconds since 1970-01-01", &[-1]);
        check(&[day], Some("days since 1970-01-11T00:00:00Z"), "days since 1970-01-11T00:00:00Z", &[-9]);
        check(&[day], Some("hours since 1969-12-31 12:00"), "hours since 1969-12-31 12:00", &[36]);
        check(&[day], Some("days since 1969-12-31 12:00"), "days since 1970-01-01", &[1]);
        check(&[day], Some("months since 2000-01-01"), "days since 1970-01-01", &[1]);
        check(&[day], Some("days since 0001-01-01"), "days since 1970-01-01", &[1]);
    }
}
