//! Scaling.

mod bounds;
mod census;
mod decision;
mod demand;
mod estimate;
mod inputs;
mod log;
mod reason;
mod removal;
pub mod simulation;

pub use bounds::{Clamp, Limit};
pub use census::Census;
pub use decision::{Decision, Retirements, ScalingState, decide, retirements};
pub use demand::Demand;
pub use estimate::{StartUpEstimate, TaskEstimate, TaskRates};
pub use inputs::{Executor, ExecutorState, Inputs, JobWork, Limits, Policy, ScalingMode};
pub use log::{Basis, LogEntry, ScalingLog};
pub use reason::Reason;
