//! What holds whatever comes, tried with inputs of a seeded generator.

use std::collections::BTreeSet;

use super::super::simulation::Random;
use super::*;

const TRIALS: u64 = 5000;

#[test]
fn limits_are_never_exceeded() {
    each_trial(|inputs, policy, decision| {
        let there = inputs.executors.len() as u32;
        let cores: u32 = inputs.executors.iter().map(|executor| executor.cores).sum();
        let max = inputs.cluster.max.min(inputs.user.max);
        assert!(decision.start == 0 || there + decision.start <= max, "{decision}");
        assert!(decision.start <= policy.step_limit, "{decision}");
        assert!(decision.desired <= max, "{decision}");
        assert!(decision.cores_each <= inputs.user.cores_each.max(1), "{decision}");
        let cores_after = cores + decision.start * decision.cores_each;
        for most in [inputs.cluster.cores_total, inputs.user.cores_total].into_iter().flatten() {
            assert!(decision.start == 0 || cores_after <= most, "{cores_after} of {most}: {decision}");
        }
    });
}

#[test]
fn only_those_that_lose_nothing_are_stopped() {
    each_trial(|inputs, _, decision| {
        for executor in inputs.executors.iter().filter(|executor| decision.stop.contains(&executor.id)) {
            assert!(executor.is_free(), "{executor:?}: {decision}");
            assert!(executor.is_leaving() || executor.is_starting(), "{executor:?}: {decision}");
        }
        let is_told =
            matches!(inputs.mode, ScalingMode::Fixed(_)) || matches!(decision.reason, Reason::AboveMaximum { .. });
        for executor in inputs.executors.iter().filter(|executor| decision.cordon.contains(&executor.id)) {
            assert!(executor.is_accepting(), "{executor:?}: {decision}");
            assert!(is_told || executor.is_free(), "{executor:?}: {decision}");
        }
    });
}

#[test]
fn an_executor_is_told_one_thing() {
    each_trial(|inputs, _, decision| {
        let all: Vec<&String> =
            [&decision.resume, &decision.cordon, &decision.drain, &decision.stop].into_iter().flatten().collect();
        let distinct: BTreeSet<&String> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len(), "{decision}");
        assert!(distinct.iter().all(|id| inputs.executors.iter().any(|executor| &executor.id == *id)), "{decision}");
        let falls = !decision.cordon.is_empty();
        assert!(!(falls && (decision.start > 0 || !decision.resume.is_empty())), "{decision}");
    });
}

#[test]
fn removals_leave_the_minimum() {
    each_trial(|inputs, _, decision| {
        let (census, max) = (decision.census, inputs.cluster.max.min(inputs.user.max));
        let stopped_starting =
            inputs.executors.iter().filter(|executor| executor.is_starting() && decision.stop.contains(&executor.id));
        let left = census.present() - (decision.cordon.len() + stopped_starting.count()) as u32;
        let removed = left < census.present();
        assert!(!removed || left >= inputs.cluster.min.min(max).min(decision.desired), "{decision}");
    });
}

#[test]
fn more_work_never_wants_fewer() {
    let mut random = Random::new(7);
    for _ in 0..TRIALS {
        let (less, policy) = (any_inputs(&mut random), any_policy(&mut random));
        let mut more = less.clone();
        for job in &mut more.jobs {
            job.remaining_bytes += random.below(2_000_000_000);
            job.remaining_partitions += random.below(50);
        }
        let start = ScalingState::default();
        let (less_decision, more_decision) = (decide(&less, &policy, &start).0, decide(&more, &policy, &start).0);
        assert!(more_decision.desired >= less_decision.desired, "{less:?}\n{less_decision}\n{more_decision}");
    }
}

#[test]
fn equal_inputs_give_equal_decisions() {
    each_trial(|inputs, policy, decision| {
        let (again, state) = decide(inputs, policy, &ScalingState::default());
        assert_eq!(&again, decision);
        // As long as nothing else changes, neither does what is desired.
        let later = Inputs { now: inputs.now + seconds(1.0), ..inputs.clone() };
        if !inputs.executors.iter().any(Executor::is_starting) {
            assert_eq!(decide(&later, policy, &state).0.desired, decision.desired);
        }
    });
}

#[test]
fn an_idle_cluster_comes_down_to_its_minimum() {
    let mut random = Random::new(3);
    for _ in 0..300 {
        let policy = Policy { idle_timeout: Some(seconds(40.0)), ..any_policy(&mut random) };
        let mut at = Inputs { jobs: vec![], mode: ScalingMode::Between { min: 0, max: 50 }, ..any_inputs(&mut random) };
        (at.cluster.cores_total, at.user.cores_total) = (None, None);
        let mut state = ScalingState::default();
        for executor in &mut at.executors {
            (executor.holds_data, executor.state) = (false, ExecutorState::Idle { since: at.now });
        }
        for _ in 0..200 {
            at.now += seconds(1.0);
            let (decision, next) = decide(&at, &policy, &state);
            state = next;
            apply(&mut at, &decision);
        }
        let min = at.cluster.min.min(at.cluster.max).min(at.user.max) as usize;
        assert_eq!(at.executors.len(), min, "{at:?}");
    }
}

#[test]
fn work_about_a_step_does_not_make_it_swing() {
    let mut random = Random::new(5);
    let (mut state, mut removed, mut started) = (ScalingState::default(), 0, 0);
    let mut at = inputs((0..4).map(|n| busy(&n.to_string())).collect(), vec![]);
    for _ in 0..600 {
        at.now += seconds(1.0);
        // Between 3 and 5 executors' worth of work, at random.
        at.jobs = vec![job(30 + random.below(20), 50)];
        let (decision, next) = decide(&at, &Policy::default(), &state);
        state = next;
        removed += decision.cordon.len();
        started += decision.start;
        apply(&mut at, &decision);
    }
    assert_eq!((removed, started), (0, 0));
}

/// Executors that start are there at once, and idle; those that are stopped are gone.
fn apply(inputs: &mut Inputs, decision: &Decision) {
    inputs
        .executors
        .retain(|executor| !decision.stop.contains(&executor.id) && executor.state != ExecutorState::Stopping);
    for executor in &mut inputs.executors {
        if decision.cordon.contains(&executor.id) {
            executor.state = ExecutorState::Cordoned { tasks: 0 };
        } else if decision.resume.contains(&executor.id) {
            executor.state = ExecutorState::Idle { since: inputs.now };
        }
    }
    let now = inputs.now;
    inputs.executors.extend((0..decision.start).map(|n| Executor {
        id: format!("{}-{n}", now.as_millis()),
        cores: decision.cores_each,
        state: ExecutorState::Idle { since: now },
        holds_data: false,
    }));
}

/// Checks decisions on inputs of all kinds, the first and the fourth in a row.
fn each_trial(check: impl Fn(&Inputs, &Policy, &Decision)) {
    let mut random = Random::new(1);
    let mut changes = 0;
    for _ in 0..TRIALS {
        let (inputs, policy) = (any_inputs(&mut random), any_policy(&mut random));
        let (decision, mut state) = decide(&inputs, &policy, &ScalingState::default());
        check(&inputs, &policy, &decision);
        for round in 1..4 {
            let later = Inputs { now: inputs.now + seconds(f64::from(round)), ..inputs.clone() };
            state = decide(&later, &policy, &state).1;
        }
        changes += usize::from(decision.is_change());
    }
    assert!(changes > TRIALS as usize / 20, "{changes} changes in {TRIALS} trials");
}

fn any_policy(random: &mut Random) -> Policy {
    Policy {
        target_duration: seconds(1.0 + random.uniform() * 20.0),
        step_limit: 1 + random.below(8) as u32,
        cool_down: seconds(random.uniform() * 20.0),
        quiet_rounds: random.below(5) as u32,
        idle_timeout: (random.below(2) == 0).then(|| seconds(random.uniform() * 60.0)),
        ..Policy::default()
    }
}

fn any_inputs(random: &mut Random) -> Inputs {
    let executors = (0..random.below(12)).map(|n| any_executor(n, random)).collect();
    let jobs = (0..random.below(4)).map(|n| any_job(n, random)).collect();
    let min = random.below(4) as u32;
    let mode = match random.below(4) {
        0 => ScalingMode::Fixed(random.below(14) as u32),
        _ => ScalingMode::Between { min: random.below(3) as u32, max: random.below(14) as u32 },
    };
    let cores_total = |random: &mut Random| (random.below(3) == 0).then(|| random.below(40) as u32);
    Inputs {
        mode,
        start_up: seconds(random.uniform() * 60.0),
        memory_used: random.uniform(),
        cluster: Limits { min, max: random.below(14) as u32, cores_each: 2, cores_total: cores_total(random) },
        user: Limits {
            min: 0,
            max: 1 + random.below(14) as u32,
            cores_each: 1 + random.below(3) as u32,
            cores_total: cores_total(random),
        },
        ..inputs(executors, jobs)
    }
}

fn any_job(number: u64, random: &mut Random) -> JobWork {
    let partitions = 1 + random.below(100);
    let running = random.below(partitions + 1);
    JobWork {
        id: format!("job {number}"),
        remaining_partitions: partitions,
        remaining_bytes: random.below(400_000_000),
        running_partitions: running,
        running_seconds: random.uniform() * running as f64 * 5.0,
        rates: None,
    }
}

fn any_executor(number: u64, random: &mut Random) -> Executor {
    let ago = seconds(random.uniform() * 100.0);
    let since = seconds(1000.0).saturating_sub(ago);
    let tasks = random.below(3) as u32;
    let state = match random.below(6) {
        0 => ExecutorState::Starting { since },
        1 => ExecutorState::Idle { since },
        2 => ExecutorState::Busy { tasks: 1 + tasks },
        3 => ExecutorState::Cordoned { tasks },
        4 => ExecutorState::Draining { tasks },
        _ => ExecutorState::Stopping,
    };
    let holds_data = random.below(2) == 0 && !matches!(state, ExecutorState::Starting { .. });
    Executor { id: format!("e{number}"), cores: 2, state, holds_data }
}
