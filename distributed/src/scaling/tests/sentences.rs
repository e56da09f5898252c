//! What is written of decisions, and how they are recorded.

use super::*;

#[test]
fn a_decision_reads_as_a_sentence() {
    let found = decided(&inputs(vec![busy("a")], vec![job(1000, 1000)]));
    assert_eq!(
        found.to_string(),
        "work of 1000.0 s on one core asks for 99 executors to end 5.0 s after they came; 1 there or coming; starts 8; \
         the upper number of ADAPT BETWEEN allows 10 of 99; the step limit starts 8 of 9 now"
    );
    let found = decided_after(3, &inputs(vec![busy("a"), idle("b", 300.0)], vec![job(4, 2)]));
    assert_eq!(found.to_string(), "enough work for 1 executor; removes 1 idle; cordons b");
}

#[test]
fn equal_rounds_are_one_entry() {
    let mut log = ScalingLog::new(10);
    for now in 0..50u64 {
        let quiet = Inputs { now: seconds(now as f64), ..inputs(vec![idle("a", 999.0)], vec![]) };
        log.record(&quiet, &decided(&quiet));
    }
    let entries: Vec<(Duration, Duration, u64)> =
        log.entries().map(|entry| (entry.first, entry.last, entry.rounds)).collect();
    assert_eq!(entries, [(seconds(0.0), seconds(49.0), 50)]);
}

#[test]
fn changes_are_entries_with_their_inputs() {
    let mut log = ScalingLog::new(10);
    let more = inputs(vec![busy("a")], vec![job(100, 100), job(7, 3)]);
    log.record(&more, &decided(&more));
    log.record(&more, &decided(&more));
    let quiet = inputs(vec![idle("a", 1.0)], vec![]);
    log.record(&quiet, &decided(&quiet));
    let found: Vec<_> = log
        .entries()
        .map(|entry| (entry.decision.reason.name(), entry.basis.remaining_bytes, entry.basis.jobs))
        .collect();
    assert_eq!(found, [("more work", 107_000_000, 2), ("more work", 107_000_000, 2), ("no work", 0, 0)]);
}

#[test]
fn the_log_is_bounded() {
    let mut log = ScalingLog::new(3);
    for n in 0..10 {
        let more = Inputs { now: seconds(f64::from(n)), ..inputs(vec![], vec![job(100, 100)]) };
        log.record(&more, &decided(&more));
    }
    let first: Vec<Duration> = log.entries().map(|entry| entry.first).collect();
    assert_eq!((first, log.dropped()), (vec![seconds(7.0), seconds(8.0), seconds(9.0)], 7));
}
