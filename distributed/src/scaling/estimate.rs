//! How long tasks and starts take, learned from those that ended.

use std::time::Duration;

/// Bytes of the unit in which the estimate counts, so that its sums are of like size.
const UNIT_BYTES: f64 = 1_048_576.0;

/// Seconds of tasks after which what was learned counts half.
const HALF_LIFE_SECONDS: f64 = 300.0;

/// A task counts as at least so many seconds for the half-life, so that the sums of no many empty tasks grow on.
const TASK_SECONDS_MIN: f64 = 0.02;

/// Weight of each of the two tasks that stand for the prior.
const PRIOR_WEIGHT: f64 = 0.5;

/// Units that the larger of the tasks that stand for the prior reads.
const PRIOR_UNITS: f64 = 64.0;

/// Share of a new start in the estimate of starts.
const START_WEIGHT: f64 = 0.3;

/// The time of a task: a fixed part and one by the bytes it reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskRates {
    /// Seconds of a task that reads nothing.
    pub seconds_a_task: f64,
    /// Seconds for a byte.
    pub seconds_a_byte: f64,
}

impl TaskRates {
    /// Seconds of one core for so many partitions that read so many bytes together. It is never negative and always finite.
    pub fn seconds(&self, partitions: u64, bytes: u64) -> f64 {
        let seconds = self.seconds_a_task * partitions as f64 + self.seconds_a_byte * bytes as f64;
        if seconds.is_nan() { 0.0 } else { seconds.clamp(0.0, 1e15) }
    }
}

impl Default for TaskRates {
    /// 10 ms and 200 MB a second: a plausible beginning, which measured tasks soon outweigh.
    fn default() -> Self {
        Self { seconds_a_task: 0.01, seconds_a_byte: 5e-9 }
    }
}

/// A line through the times of tasks over their bytes, by least squares, in which older tasks count less.
///
/// It forgets by seconds of work and not by tasks: a thousand tiny tasks do not blot out what one large task told.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEstimate {
    prior: TaskRates,
    weight: f64,
    units: f64,
    units_squared: f64,
    seconds: f64,
    units_seconds: f64,
}

impl TaskEstimate {
    /// An estimate that tells `prior` until tasks were seen. For one job it is the estimate over all jobs.
    pub fn new(prior: TaskRates) -> Self {
        Self { prior, weight: 0.0, units: 0.0, units_squared: 0.0, seconds: 0.0, units_seconds: 0.0 }
    }

    /// Learns from a task that ended well.
    pub fn observe(&mut self, bytes: u64, took: Duration) {
        let (units, seconds) = (bytes as f64 / UNIT_BYTES, took.as_secs_f64());
        let kept = 0.5f64.powf(seconds.max(TASK_SECONDS_MIN) / HALF_LIFE_SECONDS);
        for sum in
            [&mut self.weight, &mut self.units, &mut self.units_squared, &mut self.seconds, &mut self.units_seconds]
        {
            *sum *= kept;
        }
        self.add(1.0, units, seconds);
    }

    /// The rates as far as known.
    pub fn rates(&self) -> TaskRates {
        let mut all = self.clone();
        all.add(PRIOR_WEIGHT, 0.0, self.prior.seconds_a_task);
        let large = self.prior.seconds_a_task + self.prior.seconds_a_byte * UNIT_BYTES * PRIOR_UNITS;
        all.add(PRIOR_WEIGHT, PRIOR_UNITS, large);
        all.line()
    }

    fn add(&mut self, weight: f64, units: f64, seconds: f64) {
        self.weight += weight;
        self.units += weight * units;
        self.units_squared += weight * units * units;
        self.seconds += weight * seconds;
        self.units_seconds += weight * units * seconds;
    }

    /// The line of the least squares that is nowhere negative.
    fn line(&self) -> TaskRates {
        let spread = self.weight * self.units_squared - self.units * self.units;
        let slope = (self.weight * self.units_seconds - self.units * self.seconds) / spread;
        let fixed = (self.seconds - slope * self.units) / self.weight;
        let (fixed, slope) = if slope.is_nan() || slope < 0.0 {
            (self.seconds / self.weight, 0.0)
        } else if fixed < 0.0 {
            (0.0, self.units_seconds / self.units_squared)
        } else {
            (fixed, slope)
        };
        TaskRates { seconds_a_task: fixed, seconds_a_byte: slope / UNIT_BYTES }
    }
}

/// How long executors take to start, newer starts counting more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StartUpEstimate {
    seconds: f64,
    starts: u64,
}

impl StartUpEstimate {
    /// An estimate that tells `prior` until a start was seen.
    pub fn new(prior: Duration) -> Self {
        Self { seconds: prior.as_secs_f64(), starts: 0 }
    }

    /// Learns from a start.
    pub fn observe(&mut self, took: Duration) {
        let weight = if self.starts == 0 { 1.0 } else { START_WEIGHT };
        self.starts += 1;
        self.seconds += weight * (took.as_secs_f64() - self.seconds);
    }

    /// The time as far as known.
    pub fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIOR: TaskRates = TaskRates { seconds_a_task: 0.01, seconds_a_byte: 5e-9 };
    const MIB: u64 = 1_048_576;

    fn near(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected, "{found}, expected {expected}");
    }

    #[test]
    fn the_prior_is_told_at_first() {
        let rates = TaskEstimate::new(PRIOR).rates();
        near(rates.seconds_a_task, PRIOR.seconds_a_task, 1e-9);
        near(rates.seconds_a_byte, PRIOR.seconds_a_byte, 1e-9);
    }

    #[test]
    fn a_line_is_found_from_few_tasks() {
        let mut estimate = TaskEstimate::new(PRIOR);
        for n in 1..20u64 {
            let bytes = n * 50 * MIB;
            estimate.observe(bytes, Duration::from_secs_f64(0.3 + 20e-9 * bytes as f64));
        }
        near(estimate.rates().seconds_a_byte, 20e-9, 0.05);
        near(estimate.rates().seconds(1, 100 * MIB), 0.3 + 20e-9 * (100 * MIB) as f64, 0.1);
    }

    #[test]
    fn one_task_moves_the_estimate() {
        let mut estimate = TaskEstimate::new(PRIOR);
        estimate.observe(256 * MIB, Duration::from_secs(10));
        near(estimate.rates().seconds(1, 256 * MIB), 10.0, 0.1);
    }

    #[test]
    fn tiny_tasks_do_not_blot_out_large_ones() {
        let mut estimate = TaskEstimate::new(PRIOR);
        for _ in 0..5 {
            estimate.observe(512 * MIB, Duration::from_secs_f64(0.05 + 30e-9 * (512 * MIB) as f64));
        }
        for _ in 0..1000 {
            estimate.observe(MIB / 16, Duration::from_millis(50));
        }
        near(estimate.rates().seconds_a_byte, 30e-9, 0.1);
        near(estimate.rates().seconds_a_task, 0.05, 0.1);
    }

    #[test]
    fn a_change_is_followed() {
        let mut estimate = TaskEstimate::new(PRIOR);
        for _ in 0..200 {
            estimate.observe(100 * MIB, Duration::from_secs(2));
        }
        for _ in 0..200 {
            estimate.observe(100 * MIB, Duration::from_secs(8));
        }
        near(estimate.rates().seconds(1, 100 * MIB), 8.0, 0.1);
    }

    #[test]
    fn rates_are_never_negative() {
        let mut estimate = TaskEstimate::new(PRIOR);
        for n in 0..50u64 {
            estimate.observe(n * 10 * MIB, Duration::from_secs(50 - n));
            let rates = estimate.rates();
            assert!(rates.seconds_a_task >= 0.0 && rates.seconds_a_byte >= 0.0, "{rates:?}");
        }
        let mut estimate = TaskEstimate::new(PRIOR);
        for n in 10..50u64 {
            estimate.observe(n * 10 * MIB, Duration::from_secs(n * n));
            let rates = estimate.rates();
            assert!(rates.seconds_a_task >= 0.0 && rates.seconds_a_byte >= 0.0, "{rates:?}");
        }
        let odd = TaskRates { seconds_a_task: f64::NAN, seconds_a_byte: f64::INFINITY };
        assert_eq!(odd.seconds(1, 1), 0.0);
        assert!(TaskRates { seconds_a_task: 0.0, seconds_a_byte: f64::INFINITY }.seconds(1, 1).is_finite());
    }

    #[test]
    fn the_first_start_replaces_the_prior() {
        let mut estimate = StartUpEstimate::new(Duration::from_secs(60));
        assert_eq!(estimate.duration(), Duration::from_secs(60));
        estimate.observe(Duration::from_secs(2));
        assert_eq!(estimate.duration(), Duration::from_secs(2));
        estimate.observe(Duration::from_secs(12));
        near(estimate.duration().as_secs_f64(), 5.0, 1e-9);
    }
}
