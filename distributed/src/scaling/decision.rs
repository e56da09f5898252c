//! The decision on the number of executors: a pure function.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::bounds::{Bounds, Clamp, clamp_cores_each, cores_each, startable};
use super::census::Census;
use super::demand::Demand;
use super::inputs::{ExecutorState, Inputs, Policy, ScalingMode};
use super::reason::Reason;
use super::removal;

/// What is to be done now.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Executors that there should be.
    pub desired: u32,
    /// Executors to start.
    pub start: u32,
    /// Cores of those that are started.
    pub cores_each: u32,
    /// Cordoned or draining executors that take tasks again.
    pub resume: Vec<String>,
    /// Executors that get no more tasks from now on.
    pub cordon: Vec<String>,
    /// Cordoned executors that still work or hold data: they are waited for.
    pub drain: Vec<String>,
    /// Executors to end: none of them works or holds data.
    pub stop: Vec<String>,
    /// Why.
    pub reason: Reason,
    /// The limits that made it other than wanted.
    pub clamps: Vec<Clamp>,
    /// What was counted for it.
    pub census: Census,
    /// What the work asked for.
    pub demand: Demand,
}

/// Cordoned executors that go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retirements {
    /// They still work or hold data: they are waited for.
    pub drain: Vec<String>,
    /// They do neither, and end.
    pub stop: Vec<String>,
}

/// What a controller remembers from one decision to the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScalingState {
    /// Executors wanted in the last rounds.
    wanted: VecDeque<u32>,
    /// When the last of these rounds began.
    round: Option<Duration>,
    /// When an executor was last started or taken back.
    grown: Option<Duration>,
}

/// Decides. The state that it gives is for the next decision.
pub fn decide(inputs: &Inputs, policy: &Policy, state: &ScalingState) -> (Decision, ScalingState) {
    let census = Census::of(&inputs.executors);
    let bounds = Bounds::of(inputs);
    let demand = Demand::of(inputs, policy, &census);
    let wanted = match inputs.mode {
        ScalingMode::Fixed(executors) => executors,
        ScalingMode::Between { .. } => demand.executors(),
    };
    let (desired, clamp) = bounds.clamp(wanted);
    let mut next = state.clone();
    next.remember(desired, inputs.now, policy);

    let mut decision = Decision {
        desired,
        start: 0,
        cores_each: cores_each(inputs),
        resume: Vec::new(),
        cordon: Vec::new(),
        drain: Vec::new(),
        stop: Vec::new(),
        reason: unchanged(inputs, &demand, &census, wanted, desired),
        clamps: clamp.into_iter().chain(clamp_cores_each(inputs)).collect(),
        census,
        demand,
    };
    let is_fixed = matches!(inputs.mode, ScalingMode::Fixed(_));
    if desired > census.present() {
        grow(&mut decision, inputs, policy, &bounds, wanted);
    } else if census.present() > bounds.max || (is_fixed && census.present() > desired) {
        shrink_as_told(&mut decision, inputs, &bounds, is_fixed);
    } else if census.present() > desired {
        shrink_idle(&mut decision, inputs, policy, &next);
    }
    retire(&mut decision, inputs, policy);
    if decision.start > 0 || !decision.resume.is_empty() {
        next.grown = Some(inputs.now);
    }
    (decision, next)
}

/// What becomes of the executors that are cordoned.
///
/// A controller may ask for it again as soon as the executors of a decision are cordoned, with what it sees then: a task
/// that was given to one of them just before keeps it, and the others need not wait for the next round.
pub fn retirements(inputs: &Inputs) -> Retirements {
    let mut found = Retirements::default();
    for executor in inputs.executors.iter().filter(|executor| executor.is_leaving()) {
        if executor.is_free() {
            found.stop.push(executor.id.clone());
        } else if matches!(executor.state, ExecutorState::Cordoned { .. }) {
            found.drain.push(executor.id.clone());
        }
    }
    found
}

impl ScalingState {
    fn remember(&mut self, desired: u32, now: Duration, policy: &Policy) {
        // A tick may come a little early.
        let is_same_round = self.round.is_some_and(|round| now.saturating_sub(round) < policy.interval / 2);
        match self.wanted.back_mut() {
            Some(last) if is_same_round => *last = desired.max(*last),
            _ => {
                self.round = Some(now);
                self.wanted.push_back(desired);
            }
        }
        while self.wanted.len() > policy.quiet_rounds.max(1) as usize {
            self.wanted.pop_front();
        }
    }

    /// Executors that were enough in all of the last rounds.
    fn enough(&self) -> u32 {
        self.wanted.iter().copied().max().unwrap_or(0)
    }

    /// Rounds that must pass until so many executors were enough in all of the last ones.
    fn rounds_until_fewer_than(&self, present: u32, policy: &Policy) -> u32 {
        let quiet = self.wanted.iter().rev().take_while(|wanted| **wanted < present).count();
        policy.quiet_rounds.saturating_sub(u32::try_from(quiet).unwrap_or(u32::MAX))
    }
}

impl Decision {
    /// Whether the number of executors is about to change.
    pub fn is_change(&self) -> bool {
        self.start > 0 || !self.resume.is_empty() || !self.cordon.is_empty()
    }

    /// Whether nothing is to be done.
    pub fn is_idle(&self) -> bool {
        !self.is_change() && self.drain.is_empty() && self.stop.is_empty()
    }
}

/// The decision as a sentence, with what is done and the limits that clamped it.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if self.start > 0 {
            write!(f, "; starts {}", self.start)?;
        }
        let lists =
            [("takes back", &self.resume), ("cordons", &self.cordon), ("drains", &self.drain), ("stops", &self.stop)];
        for (verb, executors) in lists.into_iter().filter(|(_, executors)| !executors.is_empty()) {
            write!(f, "; {verb} {}", executors.join(", "))?;
        }
        self.clamps.iter().try_for_each(|clamp| write!(f, "; {clamp}"))
    }
}

/// The reason of a decision that changes nothing.
fn unchanged(inputs: &Inputs, demand: &Demand, census: &Census, wanted: u32, desired: u32) -> Reason {
    let present = census.present();
    match inputs.mode {
        _ if wanted > desired => Reason::AtLimit { present, wanted },
        ScalingMode::Fixed(executors) => Reason::ScaleTo { present, executors },
        _ if demand.usable == 0 => Reason::NoWork { present },
        _ => Reason::Enough { work_seconds: demand.work_seconds, present },
    }
}

/// Takes back executors that were about to leave, and starts the others that are missing.
fn grow(decision: &mut Decision, inputs: &Inputs, policy: &Policy, bounds: &Bounds, wanted: u32) {
    let (present, demand) = (decision.census.present(), decision.demand);
    let missing = decision.desired - present;
    let leaving = inputs.executors.iter().filter(|executor| executor.is_leaving());
    decision.resume = leaving.take(missing as usize).map(|executor| executor.id.clone()).collect();
    let missing = missing - decision.resume.len() as u32;
    let (start, clamps) = startable(missing, bounds, inputs, policy, &decision.census);
    decision.start = start;
    decision.clamps.extend(clamps);
    decision.reason = if decision.start == 0 && decision.resume.is_empty() {
        Reason::AtLimit { present, wanted }
    } else if let ScalingMode::Fixed(executors) = inputs.mode {
        Reason::ScaleTo { present, executors }
    } else if wanted <= present {
        Reason::BelowMinimum { present, min: bounds.min }
    } else if demand.by_memory > demand.by_work {
        Reason::MemoryPressure { used: inputs.memory_used, high: policy.memory_high, wanted }
    } else {
        Reason::MoreWork { work_seconds: demand.work_seconds, target: demand.target, present, wanted }
    };
}

/// Removes executors because the user said so: at once, those that lose least first, busy ones too.
fn shrink_as_told(decision: &mut Decision, inputs: &Inputs, bounds: &Bounds, is_fixed: bool) {
    let present = decision.census.present();
    let most = if is_fixed { decision.desired } else { bounds.max };
    let surplus = (present - most) as usize;
    for executor in removal::cheapest_first(&inputs.executors).into_iter().take(surplus) {
        let list = if executor.is_starting() { &mut decision.stop } else { &mut decision.cordon };
        list.push(executor.id.clone());
    }
    decision.reason = match inputs.mode {
        ScalingMode::Fixed(executors) => Reason::ScaleTo { present, executors },
        ScalingMode::Between { .. } => Reason::AboveMaximum { present, max: bounds.max },
    };
}

/// Removes executors that have had nothing to do for long, once fewer have been enough for long.
fn shrink_idle(decision: &mut Decision, inputs: &Inputs, policy: &Policy, state: &ScalingState) {
    let present = decision.census.present();
    let enough = decision.desired;
    let rounds_left = state.rounds_until_fewer_than(present, policy);
    let idle_time = policy.idle_time(inputs.start_up);
    let left =
        state.grown.map_or(Duration::ZERO, |grown| policy.cool_down.saturating_sub(inputs.now.saturating_sub(grown)));
    decision.reason = if rounds_left > 0 {
        Reason::Quiet { enough, rounds_left }
    } else if !left.is_zero() {
        Reason::CoolDown { enough, left }
    } else {
        let surplus = present.saturating_sub(state.enough());
        let idle = removal::idle_too_long(&inputs.executors, inputs.now, idle_time, surplus);
        decision.cordon = idle.into_iter().map(|executor| executor.id.clone()).collect();
        match decision.cordon.len() as u32 {
            0 => Reason::NotIdle { enough, holding: decision.census.holding, idle_time },
            removed => Reason::LessWork { enough: state.enough(), removed },
        }
    };
}

/// Leads executors that were cordoned before, and are not taken back in this round, to their end; gives up those that do
/// not come.
fn retire(decision: &mut Decision, inputs: &Inputs, policy: &Policy) {
    let Retirements { drain, stop } = retirements(inputs);
    let is_taken_back = |executor: &String| decision.resume.contains(executor);
    let drain: Vec<String> = drain.into_iter().filter(|executor| !is_taken_back(executor)).collect();
    let stop: Vec<String> = stop.into_iter().filter(|executor| !is_taken_back(executor)).collect();
    decision.drain.extend(drain);
    decision.stop.extend(stop);
    for executor in &inputs.executors {
        let is_overdue = matches!(executor.state, ExecutorState::Starting { since }
            if inputs.now.saturating_sub(since) >= policy.start_timeout);
        if is_overdue && !decision.stop.contains(&executor.id) {
            decision.stop.push(executor.id.clone());
        }
    }
}
