//! CF units of times: those of the source where they fit, else the coarsest that every value fits exactly.

use super::cells::{Cells, Fill};
use super::encoding::nan;
use crate::source::calendar::Calendar;
use crate::source::cf;

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
    /// The calendar that comes with the source's units.
    pub(super) calendar: Option<String>,
    /// Whether counts of them are floats.
    pub(super) is_float: bool,
    unit_ns: i128,
    /// From 1970-01-01 to the reference, nanoseconds.
    reference_ns: i128,
}

/// What a source says of its times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// `days since 1950-01-01`
    pub(super) units: &'a str,
    /// The attribute `calendar`, or what CF has it mean that there is none.
    pub(super) calendar: &'a str,
    /// The calendar of the values; that of Arrow's timestamps without one.
    pub(super) of_values: Option<&'a str>,
    /// Whether counts may be floats.
    pub(super) may_be_float: bool,
}

impl TimeUnits {
    /// Ticks since 1970-01-01 as they come, whatever they will be.
    pub(super) fn of_ticks(tick_ns: i64) -> Self {
        let tick = i128::from(tick_ns);
        let name = UNITS.iter().find(|(_, unit)| *unit == tick).map_or("nanoseconds", |(name, _)| name);
        Self::since_1970(name, tick)
    }

    /// The units that were wanted when every tick fits them, else the coarsest ones since 1970-01-01 that every tick
    /// fits exactly.
    pub(super) fn choose(cells: &Cells, missing: &Fill, tick_ns: i64, wanted: Option<Wanted>) -> Self {
        let tick = i128::from(tick_ns);
        let fits = |units: &Self| {
            ticks(cells, missing).all(|value| {
                let ns = i128::from(value) * tick - units.reference_ns;
                ns % units.unit_ns == 0 && i64::try_from(ns / units.unit_ns).is_ok_and(|n| n != i64::MIN)
            })
        };
        let own = wanted.and_then(|wanted| Self::parse(&wanted));
        match own {
            Some(units) if fits(&units) => return units,
            Some(units) if wanted.is_some_and(|wanted| wanted.may_be_float) => return Self { is_float: true, ..units },
            _ => {}
        }
        let mut since_1970 = UNITS.iter().map(|(name, unit_ns)| Self::since_1970(name, *unit_ns));
        since_1970.find(fits).unwrap_or_else(|| Self::of_ticks(tick_ns))
    }

    /// Brings ticks to these units; missing cells stay, or become NaNs among floats.
    pub(super) fn apply(&self, cells: &mut Cells, missing: &Fill, tick_ns: i64) {
        let (Cells::Fixed { bytes, .. }, Fill::Fixed(missing)) = (cells, missing) else { return };
        for cell in bytes.chunks_exact_mut(8) {
            let ns = i128::from(tick(cell)) * i128::from(tick_ns) - self.reference_ns;
            match (cell == &missing[..], self.is_float) {
                (true, true) => cell.copy_from_slice(&nan(8)),
                (true, false) => {}
                (false, true) => cell.copy_from_slice(&(ns as f64 / self.unit_ns as f64).to_le_bytes()),
                (false, false) => cell.copy_from_slice(&((ns / self.unit_ns) as i64).to_le_bytes()),
            }
        }
    }

    fn since_1970(name: &str, unit_ns: i128) -> Self {
        let text = format!("{name} since 1970-01-01");
        Self { text, calendar: None, is_float: false, unit_ns, reference_ns: 0 }
    }

    /// The units of a source, where its calendar is that of the values.
    fn parse(wanted: &Wanted) -> Option<Self> {
        let calendar = Calendar::from_name(wanted.calendar)?;
        let agrees = match wanted.of_values.map(Calendar::from_name) {
            Some(of_values) => of_values == Some(calendar),
            None => calendar.is_timestamp(),
        };
        let units = cf::TimeUnits::parse(wanted.units, wanted.calendar).filter(|_| agrees)?;
        Some(Self {
            text: wanted.units.to_string(),
            calendar: Some(wanted.calendar.to_string()),
            is_float: false,
            unit_ns: units.unit_ns(),
            reference_ns: units.reference_ns(),
        })
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
        let check = |ticks: &[i64], wanted: Option<(&str, &str)>, text: &str, expected: &[i64]| {
            let mut found = cells(ticks);
            let wanted =
                wanted.map(|(units, calendar)| Wanted { units, calendar, of_values: None, may_be_float: false });
            let units = TimeUnits::choose(&found, &missing, 1_000, wanted);
            units.apply(&mut found, &missing, 1_000);
            assert_eq!((units.text.as_str(), found), (text, cells(expected)));
        };
        check(&[0, 5 * day, i64::MIN], None, "days since 1970-01-01", &[0, 5, i64::MIN]);
        check(&[day / 2], None, "hours since 1970-01-01", &[12]);
        check(&[-1], None, "microseconds since 1970-01-01", &[-1]);
        let wanted = |units: &'static str| Some((units, "standard"));
        check(&[day], wanted("days since 1970-01-11T00:00:00Z"), "days since 1970-01-11T00:00:00Z", &[-9]);
        check(&[day], wanted("hours since 1969-12-31 12:00"), "hours since 1969-12-31 12:00", &[36]);
        check(&[day], wanted("days since 1969-12-31 12:00"), "days since 1970-01-01", &[1]);
        check(&[day], wanted("months since 2000-01-01"), "days since 1970-01-01", &[1]);
        // Two days more of the Julian calendar.
        check(&[day], wanted("days since 0001-01-01"), "days since 0001-01-01", &[719_165]);
        check(&[day], Some(("days since 0001-01-01", "proleptic_gregorian")), "days since 0001-01-01", &[719_163]);
        check(&[day], Some(("days since 2000-01-01", "noleap")), "days since 1970-01-01", &[1]);
    }

    #[test]
    fn floats_are_kept_where_ticks_are_no_whole_units() {
        let missing = Fill::Fixed(i64::MIN.to_le_bytes().to_vec());
        let (units, calendar) = ("days since 2000-01-01", "noleap");
        let wanted = Wanted { units, calendar, of_values: Some("365_day"), may_be_float: true };
        let choose = |ticks: &[i64]| {
            let bytes = ticks.iter().flat_map(|tick| tick.to_le_bytes()).collect();
            let mut cells = Cells::Fixed { width: 8, bytes };
            let units = TimeUnits::choose(&cells, &missing, 1_000, Some(wanted));
            units.apply(&mut cells, &missing, 1_000);
            let Cells::Fixed { bytes, .. } = cells else { return (units.is_float, vec![]) };
            (units.is_float, bytes)
        };
        let day = 86_400_000_000;
        let reference = 30 * 365 * day;
        let expected: Vec<u8> = [1.5f64, f64::NAN].iter().flat_map(|days| days.to_le_bytes()).collect();
        assert_eq!(choose(&[reference + day * 3 / 2, i64::MIN]), (true, expected));
        assert_eq!(choose(&[reference + day]), (false, 1i64.to_le_bytes().to_vec()));
    }
}
