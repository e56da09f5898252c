//! How many executors are wanted, for KEDA: its external scaler (`externalscaler.ExternalScaler`, a service of gRPC).
//!
//! The decision is made here (`crate::scaling`); KEDA asks for it and has Kubernetes run so many pods. The metric
//! [`METRIC`] of a cluster, with a target of 1, is the number of its executors: those that are there and stay, those that
//! are about to leave and still hold data, and those that are wished for. Which cluster is meant is told by the metadata
//! `cluster` of the scaled object; without it the only one there is, or else `outside`.

mod codec;
mod message;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub use server::ScalerServer;

/// The only metric.
pub const METRIC: &str = "quarray_desired_executors";

/// The name of a cluster of executors that come by themselves, where nothing else is said.
pub const DEFAULT_CLUSTER: &str = "outside";
