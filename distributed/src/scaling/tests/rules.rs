//! Every rule by itself.

use super::super::bounds::Limit;
use super::*;

#[test]
fn demand_is_work_over_target_and_cores() {
    // 200 s: the busy executor of 2 cores does 20 of them while new ones start and work for 5 s, each does 10.
    let found = decided(&inputs(vec![busy("a")], vec![job(100, 100)]));
    assert_eq!((found.desired, found.start), (9, 8));
    assert_eq!(found.clamps.iter().map(|clamp| clamp.limit).collect::<Vec<_>>(), []);
    assert_eq!(found.reason.name(), "more work");
    // What the executors that are there do in time starts none.
    let found = decided(&inputs(vec![busy("a")], vec![job(20, 100)]));
    assert_eq!((found.start, found.reason.name()), (0, "enough"));
    let found = decided(&inputs(vec![busy("a")], vec![job(21, 100)]));
    assert_eq!((found.start, found.reason.name()), (1, "more work"));
}

#[test]
fn executors_that_start_count_as_coming() {
    let work = || vec![job(60, 100)];
    let found = decided(&inputs(vec![busy("a")], work()));
    assert_eq!(found.start, 4);
    let coming: Vec<Executor> = ["b", "c", "d", "e"].map(|id| starting(id, 0.0)).into();
    let found = decided(&inputs([vec![busy("a")], coming].concat(), work()));
    assert_eq!((found.start, found.reason.name()), (0, "enough"));
}

#[test]
fn partitions_bound_the_executors() {
    let found = decided(&inputs(vec![busy("a")], vec![job(1000, 6)]));
    assert_eq!((found.desired, found.start), (3, 2));
}

#[test]
fn running_tasks_count_for_what_is_left_of_them() {
    let mut running = job(60, 10);
    (running.running_partitions, running.running_seconds) = (10, 50.0);
    assert!((running.seconds(inputs(vec![], vec![]).rates) - 10.0).abs() < 1e-9);
    running.running_seconds = 60.0;
    assert!((running.seconds(inputs(vec![], vec![]).rates) - 6.0).abs() < 1e-9);
}

#[test]
fn slow_tasks_are_seen_before_they_end() {
    // 100 tasks that should take 0.1 s each; the 2 that run have run for 20 s.
    let mut slow = job(10, 100);
    assert_eq!(decided(&inputs(vec![busy("a")], vec![slow.clone()])).start, 0);
    (slow.running_partitions, slow.running_seconds) = (2, 40.0);
    assert!((slow.seconds(inputs(vec![], vec![]).rates) - (98.0 * 20.0 + 4.0)).abs() < 1e-9);
    assert_eq!(decided(&inputs(vec![busy("a")], vec![slow])).desired, 10);
}

#[test]
fn rates_of_the_job_go_before_those_of_all() {
    let rates = Some(TaskRates { seconds_a_task: 0.0, seconds_a_byte: 1e-5 });
    let slow = JobWork { rates, ..job(20, 100) };
    assert_eq!(decided(&inputs(vec![busy("a")], vec![job(20, 100)])).start, 0);
    assert_eq!(decided(&inputs(vec![busy("a")], vec![slow])).desired, 10);
}

#[test]
fn slow_starts_lengthen_the_target() {
    let mut slow = inputs(vec![], vec![job(400, 1000)]);
    let quick = decided(&slow).demand;
    slow.start_up = seconds(20.0);
    let found = decided(&slow).demand;
    assert_eq!((quick.target, found.target), (seconds(5.0), seconds(10.0)));
    assert_eq!((quick.by_work, found.by_work), (40, 20));
}

#[test]
fn the_step_limit_holds_and_says_so() {
    let found = decided(&inputs(vec![], vec![job(1000, 1000)]));
    assert_eq!((found.desired, found.start), (10, 8));
    let limits: Vec<Limit> = found.clamps.iter().map(|clamp| clamp.limit).collect();
    assert_eq!(limits, [Limit::AdaptMax, Limit::Step]);
}

#[test]
fn limits_clamp_and_say_so() {
    let check = |change: fn(&mut Inputs), desired: u32, limit: Limit| {
        let mut inputs = inputs(vec![busy("a")], vec![job(1000, 1000)]);
        change(&mut inputs);
        let found = decided(&inputs);
        assert_eq!((found.desired, found.clamps.first().map(|clamp| clamp.limit)), (desired, Some(limit)), "{found}");
    };
    check(|_| (), 10, Limit::AdaptMax);
    check(|inputs| inputs.mode = ScalingMode::Between { min: 1, max: 4 }, 4, Limit::AdaptMax);
    check(|inputs| inputs.cluster.max = 5, 5, Limit::ClusterMax);
    check(|inputs| inputs.user.max = 3, 3, Limit::UserMax);
    check(|inputs| inputs.cluster.cores_total = Some(9), 4, Limit::ClusterCores);
    check(|inputs| inputs.user.cores_total = Some(7), 3, Limit::UserCores);
    check(|inputs| inputs.mode = ScalingMode::Fixed(70), 10, Limit::ClusterMax);
    check(|inputs| inputs.user.cores_each = 1, 10, Limit::AdaptMax);
}

#[test]
fn the_users_cores_make_smaller_executors() {
    let mut small = inputs(vec![], vec![job(1000, 1000)]);
    small.user.cores_each = 1;
    let found = decided(&small);
    assert_eq!(found.cores_each, 1);
    assert!(found.clamps.iter().any(|clamp| clamp.limit == Limit::UserCoresEach), "{found}");
}

#[test]
fn the_minimum_is_kept_without_work() {
    let mut idle_cluster = inputs(vec![], vec![]);
    idle_cluster.cluster.min = 3;
    let found = decided(&idle_cluster);
    assert_eq!((found.desired, found.start, found.reason.name()), (3, 3, "below minimum"));
    assert_eq!(found.clamps.first().map(|clamp| clamp.limit), Some(Limit::ClusterMin));
}

#[test]
fn contradicting_limits_hold_the_upper() {
    let mut odd = inputs(vec![], vec![]);
    odd.mode = ScalingMode::Between { min: 8, max: 4 };
    assert_eq!(decided(&odd).desired, 4);
}

#[test]
fn executors_that_end_still_take_room() {
    let ending: Vec<Executor> = (0..8).map(|n| executor(&format!("x{n}"), ExecutorState::Stopping)).collect();
    let found = decided(&inputs(ending, vec![job(1000, 1000)]));
    assert_eq!((found.desired, found.start), (10, 2));
    assert!(found.clamps.iter().any(|clamp| clamp.limit == Limit::Leaving), "{found}");
}

#[test]
fn wanting_more_than_allowed_is_not_enough() {
    let all: Vec<Executor> = (0..10).map(|n| busy(&n.to_string())).collect();
    let found = decided(&inputs(all, vec![job(10_000, 1000)]));
    assert_eq!((found.start, found.reason.name()), (0, "at limit"));
}

#[test]
fn memory_pressure_asks_for_more() {
    let work = || inputs(vec![busy("a"), busy("b")], vec![job(10, 100)]);
    assert_eq!(decided(&work()).start, 0);
    let found = decided(&Inputs { memory_used: 0.9, ..work() });
    assert_eq!((found.start, found.reason.name()), (1, "memory pressure"));
    // Not while one is on its way, nor where there are no partitions to spread.
    let coming = inputs(vec![busy("a"), busy("b"), starting("c", 1.0)], vec![job(10, 100)]);
    assert_eq!(decided(&Inputs { memory_used: 0.9, ..coming }).start, 0);
    let spread = inputs(vec![busy("a"), busy("b")], vec![job(10, 4)]);
    assert_eq!(decided(&Inputs { memory_used: 0.9, ..spread }).start, 0);
}

#[test]
fn idle_executors_go_after_quiet_rounds() {
    let spare = || inputs(vec![idle("a", 100.0), idle("b", 90.0), idle("c", 100.0)], vec![]);
    assert_eq!(decided(&spare()).reason.name(), "quiet");
    assert_eq!(decided_after(1, &spare()).reason.name(), "quiet");
    let found = decided_after(2, &spare());
    assert_eq!((found.cordon, found.stop), (vec!["a".to_string(), "c".to_string()], vec![]));
    assert_eq!(found.reason, Reason::LessWork { enough: 1, removed: 2 });
}

#[test]
fn as_many_are_kept_as_a_quiet_round_wanted() {
    let executors = || (0..6).map(|n| idle(&n.to_string(), 900.0)).collect();
    let mut state = ScalingState::default();
    let mut cordoned = Vec::new();
    for (round, partitions) in [2, 8, 2].into_iter().enumerate() {
        let now = seconds(1000.0 + round as f64);
        let (decision, next) =
            decide(&Inputs { now, ..inputs(executors(), vec![job(40, partitions)]) }, &Policy::default(), &state);
        cordoned.push(decision.cordon.len());
        state = next;
    }
    // 8 partitions wanted 4 executors; the last round wants 1.
    assert_eq!(cordoned, [0, 0, 2]);
}

#[test]
fn several_spare_executors_go_one_after_the_other() {
    // 12.5 s for the last, 4.2 s for the second to last.
    let check = |ago: f64, cordoned: usize| {
        let found = decided_after(2, &inputs(vec![idle("a", ago), idle("b", ago), idle("c", ago)], vec![]));
        assert_eq!(found.cordon.len(), cordoned, "{ago} s: {found}");
    };
    check(4.0, 0);
    check(4.5, 1);
    check(12.0, 1);
    check(12.5, 2);
    check(1000.0, 2);
}

#[test]
fn holders_of_data_stay() {
    let found = decided_after(5, &inputs(vec![busy("a"), holding(idle("b", 500.0)), holding(idle("c", 9.0))], vec![]));
    assert!(found.is_idle(), "{found}");
    assert_eq!(found.reason.name(), "not idle");
}

#[test]
fn nothing_is_removed_soon_after_a_start() {
    let policy = Policy { cool_down: seconds(30.0), ..Policy::default() };
    let (_, mut state) = decide(&inputs(vec![idle("a", 1.0)], vec![job(100, 10)]), &policy, &ScalingState::default());
    let mut names = Vec::new();
    for now in [1010.0, 1020.0, 1029.0, 1030.0] {
        let spare = Inputs { now: seconds(now), ..inputs(vec![idle("a", 1.0), idle("b", 1.0)], vec![]) };
        let (decision, next) = decide(&spare, &policy, &state);
        names.push(decision.reason.name());
        state = next;
    }
    assert_eq!(names, ["quiet", "quiet", "cool-down", "less work"]);
}

#[test]
fn decisions_between_rounds_are_no_rounds() {
    let mut state = ScalingState::default();
    let mut names = Vec::new();
    for tenth in 0..30 {
        let now = seconds(1000.0 + f64::from(tenth) / 10.0);
        let spare = Inputs { now, ..inputs(vec![idle("a", 99.0), idle("b", 99.0)], vec![]) };
        let (decision, next) = decide(&spare, &Policy::default(), &state);
        names.push(decision.reason.name());
        state = next;
    }
    // The first of a round that began half an interval after the last one.
    assert_eq!(names.iter().position(|name| *name == "less work"), Some(10), "{names:?}");
}

#[test]
fn work_of_no_known_time_gets_an_executor() {
    let mut unknown = inputs(vec![], vec![job(0, 5)]);
    (unknown.mode, unknown.cluster.min) = (ScalingMode::Between { min: 0, max: 4 }, 0);
    assert_eq!(decided(&unknown).start, 1);
    unknown.jobs.clear();
    assert_eq!(decided(&unknown).start, 0);
}

#[test]
fn an_executor_that_does_not_come_is_given_up() {
    let mut late = inputs(vec![busy("a"), starting("b", 599.0), starting("c", 600.0)], vec![job(500, 500)]);
    assert_eq!(decided(&late).stop, ["c"]);
    late.mode = ScalingMode::Fixed(1);
    assert_eq!(decided(&late).stop, ["b", "c"]);
}

#[test]
fn leaving_is_cordon_then_drain_then_stop() {
    let cordoned = |tasks| executor("b", ExecutorState::Cordoned { tasks });
    let draining = |tasks| executor("b", ExecutorState::Draining { tasks });
    let check = |leaving: Executor, drain: usize, stop: usize| {
        let found = decided(&inputs(vec![busy("a"), leaving], vec![job(2, 2)]));
        assert_eq!((found.drain.len(), found.stop.len()), (drain, stop), "{found}");
    };
    check(cordoned(1), 1, 0);
    check(holding(cordoned(0)), 1, 0);
    check(draining(1), 0, 0);
    check(holding(draining(0)), 0, 0);
    check(draining(0), 0, 1);
    check(cordoned(0), 0, 1);
}

#[test]
fn those_that_were_about_to_leave_are_taken_back_first() {
    let leaving = vec![
        busy("a"),
        executor("b", ExecutorState::Draining { tasks: 0 }),
        executor("c", ExecutorState::Cordoned { tasks: 1 }),
    ];
    let found = decided(&inputs(leaving, vec![job(50, 100)]));
    assert_eq!((found.resume, found.start, found.stop.len()), (vec!["b".to_string(), "c".to_string()], 1, 0));
}

#[test]
fn scale_to_holds_whatever_the_work() {
    let at =
        |executors: Vec<Executor>, n| Inputs { mode: ScalingMode::Fixed(n), ..inputs(executors, vec![job(999, 99)]) };
    assert_eq!(decided(&at(vec![busy("a")], 3)).start, 2);
    assert!(decided(&at(vec![busy("a"), busy("b"), busy("c")], 3)).is_idle());
    // Down at once: what has not begun, what is idle, who holds data, who works.
    let all = vec![busy("a"), holding(idle("b", 9.0)), idle("c", 0.0), starting("d", 3.0), starting("e", 1.0)];
    let found = decided(&at(all.clone(), 3));
    assert_eq!((found.stop, found.cordon.len()), (vec!["e".to_string(), "d".to_string()], 0));
    let found = decided(&at(all, 1));
    assert_eq!(found.cordon, ["c", "b"]);
}

#[test]
fn a_lowered_maximum_removes_busy_executors() {
    let mut lowered = inputs(vec![busy("a"), idle("b", 0.0), busy("c")], vec![job(999, 99)]);
    lowered.mode = ScalingMode::Between { min: 1, max: 1 };
    let found = decided(&lowered);
    assert_eq!((found.cordon.len(), found.stop.len(), found.reason.name()), (2, 0, "above maximum"));
    assert_eq!(found.cordon.first().map(String::as_str), Some("b"));
}

#[test]
fn retirements_are_told_between_rounds() {
    let fenced = inputs(
        vec![
            executor("a", ExecutorState::Cordoned { tasks: 0 }),
            executor("b", ExecutorState::Cordoned { tasks: 1 }),
            idle("c", 900.0),
        ],
        vec![],
    );
    let found = retirements(&fenced);
    assert_eq!((found.stop, found.drain), (vec!["a".to_string()], vec!["b".to_string()]));
}
