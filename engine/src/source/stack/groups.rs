//! Which scenes make a step of time.

use std::fmt;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Microseconds by which the sun is earlier a degree to the east.
const DEGREE: f64 = DAY as f64 / 360.0;

/// What scenes of one step of time have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Group {
    /// The moment.
    #[default]
    Time,
    /// The day by the sun, where the scene is: scenes of one pass of a satellite.
    SolarDay,
    /// Nothing: all scenes make one step.
    All,
}

impl Group {
    /// The group of that name.
    ///
    /// # Errors
    /// A message that names what was found.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "time" => Ok(Self::Time),
            "solar_day" => Ok(Self::SolarDay),
            "all" => Ok(Self::All),
            other => Err(format!("`group`: expected time, solar_day or all, found `{other}`")),
        }
    }

    /// What the scenes of a group have in common: of a moment in microseconds since 1970, at a longitude in degrees.
    fn key(self, time: i64, longitude: f64) -> i64 {
        match self {
            Self::Time => time,
            Self::SolarDay => time.saturating_add((longitude * DEGREE) as i64).div_euclid(DAY),
            Self::All => 0,
        }
    }

    /// Sorts scenes, told as (moment, longitude) and in the order in which they lie on each other, into steps: for each
    /// its earliest moment and the scenes of it, in rising order.
    ///
    /// # Errors
    /// A message, where two steps have the same moment.
    pub(super) fn steps(self, scenes: &[(i64, f64)]) -> Result<Vec<(i64, Vec<usize>)>, String> {
        let mut steps: std::collections::BTreeMap<i64, (i64, Vec<usize>)> = std::collections::BTreeMap::new();
        for (number, &(time, longitude)) in scenes.iter().enumerate() {
            let step = steps.entry(self.key(time, longitude)).or_insert((time, Vec::new()));
            step.0 = step.0.min(time);
            step.1.push(number);
        }
        let mut steps: Vec<(i64, Vec<usize>)> = steps.into_values().collect();
        steps.sort_by_key(|(time, _)| *time);
        match steps.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b)) {
            true => Err(format!("group => '{self}': two steps of time begin at the same moment")),
            false => Ok(steps),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Time => "time",
            Self::SolarDay => "solar_day",
            Self::All => "all",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn days_are_those_of_the_sun() -> Result<(), String> {
        // 23:30 and 00:30 in the east are one morning there; in Greenwich two days.
        let scenes = [(23 * HOUR + HOUR / 2, 150.0), (24 * HOUR + HOUR / 2, 150.0), (24 * HOUR + HOUR / 2, 0.0)];
        assert_eq!(Group::SolarDay.steps(&scenes[..2])?, [(scenes[0].0, vec![0, 1])]);
        assert_eq!(Group::SolarDay.steps(&[scenes[0], scenes[2]])?, [(scenes[0].0, vec![0, 1])]);
        assert_eq!(Group::SolarDay.steps(&[(23 * HOUR, 0.0), (25 * HOUR, 0.0)])?.len(), 2);
        assert_eq!(Group::Time.steps(&scenes)?, [(scenes[0].0, vec![0]), (scenes[1].0, vec![1, 2])]);
        assert_eq!(Group::All.steps(&scenes)?, [(scenes[0].0, vec![0, 1, 2])]);
        Ok(())
    }
}
