//! Rules that scale a simulated cluster: Quarray's, as the controller uses it.

use super::super::decision::{Retirements, ScalingState, decide, retirements};
use super::super::inputs::{Inputs, Policy};
use super::super::log::ScalingLog;

/// A rule, asked once a round.
pub trait Rule {
    /// What is to be done now. `job_seconds` are the true mean seconds of a task of every job of `inputs`.
    fn round(&mut self, inputs: &Inputs, job_seconds: &[f64]) -> Actions;

    /// What is to be done once the executors that `round` cordoned get no more tasks.
    fn after_cordon(&mut self, _inputs: &Inputs) -> Actions {
        Actions::default()
    }
}

/// What a rule does to executors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actions {
    /// Executors to start.
    pub start: u32,
    /// Executors that take tasks again.
    pub resume: Vec<String>,
    /// Executors that get no more tasks.
    pub cordon: Vec<String>,
    /// Cordoned executors that are waited for.
    pub drain: Vec<String>,
    /// Executors to end.
    pub stop: Vec<String>,
}

/// The rule of `decide`.
#[derive(Debug)]
pub struct QuarrayRule {
    policy: Policy,
    state: ScalingState,
    /// What it decided.
    pub log: ScalingLog,
}

impl QuarrayRule {
    /// The rule with a policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy, state: ScalingState::default(), log: ScalingLog::new(1000) }
    }
}

impl Rule for QuarrayRule {
    fn round(&mut self, inputs: &Inputs, _: &[f64]) -> Actions {
        let (decision, state) = decide(inputs, &self.policy, &self.state);
        self.state = state;
        self.log.record(inputs, &decision);
        Actions {
            start: decision.start,
            resume: decision.resume,
            cordon: decision.cordon,
            drain: decision.drain,
            stop: decision.stop,
        }
    }

    fn after_cordon(&mut self, inputs: &Inputs) -> Actions {
        let Retirements { drain, stop } = retirements(inputs);
        Actions { drain, stop, ..Actions::default() }
    }
}
