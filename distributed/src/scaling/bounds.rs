//! The limits that hold for a decision, and which of them made it other than wanted.

use std::fmt;

use super::census::Census;
use super::inputs::{Inputs, Limits, Policy, ScalingMode};

/// The least and the greatest number of executors, each with the limit it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Executors, at least.
    pub min: u32,
    /// Executors, at most.
    pub max: u32,
    min_from: Limit,
    max_from: Limit,
}

/// A limit that changed a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clamp {
    /// The limit.
    pub limit: Limit,
    /// What was wanted.
    pub wanted: u32,
    /// What it allows.
    pub allowed: u32,
}

/// The limits there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The lower number of `ADAPT BETWEEN`.
    AdaptMin,
    /// The upper number of `ADAPT BETWEEN`.
    AdaptMax,
    /// The least number of executors of the cluster.
    ClusterMin,
    /// The greatest number of executors of the cluster.
    ClusterMax,
    /// The cores of all executors of the cluster.
    ClusterCores,
    /// The cores of one executor of the cluster.
    ClusterCoresEach,
    /// The least number of executors of the user.
    UserMin,
    /// The greatest number of executors of the user.
    UserMax,
    /// The cores of all executors of the user.
    UserCores,
    /// The cores of one executor of the user.
    UserCoresEach,
    /// The number of executors that one decision starts.
    Step,
    /// The room that executors which are about to leave still take.
    Leaving,
}

impl Bounds {
    /// The bounds of a decision. Where they contradict each other the upper one holds.
    pub fn of(inputs: &Inputs) -> Self {
        let (adapt_min, adapt_max) = match inputs.mode {
            ScalingMode::Fixed(_) => (0, u32::MAX),
            ScalingMode::Between { min, max } => (min, max),
        };
        let by_cores = |limits: Limits| limits.cores_total.map_or(u32::MAX, |cores| cores / cores_each(inputs));
        let uppers = [
            (adapt_max, Limit::AdaptMax),
            (inputs.cluster.max, Limit::ClusterMax),
            (inputs.user.max, Limit::UserMax),
            (by_cores(inputs.cluster), Limit::ClusterCores),
            (by_cores(inputs.user), Limit::UserCores),
        ];
        let lowers =
            [(adapt_min, Limit::AdaptMin), (inputs.cluster.min, Limit::ClusterMin), (inputs.user.min, Limit::UserMin)];
        let (max, max_from) = uppers
            .into_iter()
            .fold((u32::MAX, Limit::ClusterMax), |least, bound| if bound.0 < least.0 { bound } else { least });
        let (min, min_from) = lowers
            .into_iter()
            .fold((0, Limit::ClusterMin), |greatest, bound| if bound.0 > greatest.0 { bound } else { greatest });
        Self { min: min.min(max), max, min_from, max_from }
    }

    /// The number of executors within the bounds, and the limit if one changed it.
    pub fn clamp(&self, wanted: u32) -> (u32, Option<Clamp>) {
        let allowed = wanted.clamp(self.min, self.max);
        let limit = if wanted > allowed { self.max_from } else { self.min_from };
        (allowed, (wanted != allowed).then_some(Clamp { limit, wanted, allowed }))
    }
}

/// Cores of a new executor, at least one.
pub fn cores_each(inputs: &Inputs) -> u32 {
    inputs.cluster.cores_each.min(inputs.user.cores_each).max(1)
}

/// Notes it where the user's limit makes executors smaller than the cluster's are.
pub fn clamp_cores_each(inputs: &Inputs) -> Option<Clamp> {
    let (wanted, allowed) = (inputs.cluster.cores_each, cores_each(inputs));
    (wanted > allowed && wanted != u32::MAX).then_some(Clamp { limit: Limit::UserCoresEach, wanted, allowed })
}

/// How many of `wanted` executors may be started at once, and the limits that forbid the rest.
pub fn startable(wanted: u32, bounds: &Bounds, inputs: &Inputs, policy: &Policy, census: &Census) -> (u32, Vec<Clamp>) {
    let room = |limits: Limits| limits.cores_total.map_or(u32::MAX, |cores| cores.saturating_sub(census.cores));
    let limits = [
        (bounds.max.saturating_sub(census.total()), Limit::Leaving),
        (room(inputs.cluster) / cores_each(inputs), Limit::ClusterCores),
        (room(inputs.user) / cores_each(inputs), Limit::UserCores),
        (policy.step_limit.max(1), Limit::Step),
    ];
    let mut allowed = wanted;
    let mut clamps = Vec::new();
    for (most, limit) in limits {
        if most < allowed {
            clamps.push(Clamp { limit, wanted: allowed, allowed: most });
            allowed = most;
        }
    }
    (allowed, clamps)
}

impl fmt::Display for Clamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, wanted, allowed } = self;
        let name = limit.name();
        match limit {
            Limit::AdaptMin | Limit::ClusterMin | Limit::UserMin => {
                write!(f, "{name} keeps {allowed} where {wanted} would do")
            }
            Limit::Step => write!(f, "{name} starts {allowed} of {wanted} now"),
            Limit::Leaving => write!(f, "{name} leave room to start {allowed} of {wanted}"),
            Limit::UserCoresEach | Limit::ClusterCoresEach => {
                write!(f, "{name} gives executors {allowed} of {wanted} cores")
            }
            _ => write!(f, "{name} allows {allowed} of {wanted}"),
        }
    }
}

impl Limit {
    /// Its name in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdaptMin => "the lower number of ADAPT BETWEEN",
            Self::AdaptMax => "the upper number of ADAPT BETWEEN",
            Self::ClusterMin => "the cluster's minimum",
            Self::ClusterMax => "the cluster's maximum",
            Self::ClusterCores => "the cluster's limit of cores",
            Self::ClusterCoresEach => "the cluster's limit of cores an executor",
            Self::UserMin => "the user's minimum",
            Self::UserMax => "the user's maximum",
            Self::UserCores => "the user's limit of cores",
            Self::UserCoresEach => "the user's limit of cores an executor",
            Self::Step => "the step limit",
            Self::Leaving => "executors that are about to leave",
        }
    }
}
