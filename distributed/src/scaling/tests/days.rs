//! Simulated days, beside Dask's rule.

use super::super::simulation::{Comparison, Day, DayShape, QuarrayRule, Report, Settings, simulate};
use super::*;

const TASKS: usize = 10_000;
const SETTINGS: Settings = Settings { min: 1, max: 10, cores_each: 2, start_up_ms: 30_000, interval_ms: 1000 };

#[test]
fn a_day_of_bursts_costs_less_and_waits_less_than_under_dasks_rule() {
    for seed in 11..14 {
        let day = Day::new(DayShape::Bursts, TASKS, seed);
        assert_eq!(day.tasks(), TASKS);
        let found = Comparison::of(&day, SETTINGS);
        println!("bursts, seed {seed}: {} jobs\n{found}", day.jobs.len());
        assert!(found.quarray.executor_seconds < found.dask.executor_seconds, "{found}");
        assert!(found.quarray.wait_mean < found.dask.wait_mean, "{found}");
        assert!(found.quarray.executor_seconds < found.dask_without_copies.executor_seconds, "{found}");
        assert!(found.quarray.reversals < found.dask.reversals, "{found}");
        sound(&day, &found.quarray);
    }
}

#[test]
fn no_day_loses_a_task_or_thrashes() {
    for shape in DayShape::ALL {
        for start_up_ms in [1_000, 60_000] {
            let day = Day::new(shape, TASKS / 4, 21);
            let settings = Settings { start_up_ms, min: 0, ..SETTINGS };
            let found = simulate(&day, settings, &mut QuarrayRule::new(Policy::default()));
            println!("{}, {start_up_ms} ms to start: {found}", shape.name());
            sound(&day, &found);
        }
    }
}

#[test]
fn the_log_of_a_day_explains_every_start() {
    let day = Day::new(DayShape::MorningBurst, TASKS / 10, 2);
    let mut rule = QuarrayRule::new(Policy::default());
    let found = simulate(&day, SETTINGS, &mut rule);
    let started: u32 = rule.log.entries().map(|entry| entry.decision.start).sum();
    assert_eq!((rule.log.dropped(), started as usize), (0, found.executors_started));
    assert!(rule.log.entries().all(|entry| !entry.decision.reason.to_string().is_empty()));
}

#[test]
fn a_day_is_the_same_for_the_same_seed() {
    let day = |seed| Day::new(DayShape::LongTail, 500, seed);
    assert_eq!(day(4), day(4));
    assert_ne!(day(4), day(5));
    let run = || simulate(&day(4), SETTINGS, &mut QuarrayRule::new(Policy::default()));
    assert_eq!(run(), run());
}

/// Every task ran once, holders were left alone, and the number of executors rose and fell at most once for a job.
fn sound(day: &Day, found: &Report) {
    assert_eq!((found.tasks_lost, found.tasks_rerun, found.holders_stopped), (0, 0, 0), "{found}");
    assert!(found.peak <= SETTINGS.max as usize, "{found}");
    assert!(found.reversals <= 2 * day.jobs.len() + 2, "{found}");
}
