//! Clusters by name, whose executors come and go with the work.
//!
//! [`LocalClusters`] carries out what sessions say about clusters (`CREATE CLUSTER …`, `SHOW SCALING`). Each cluster has a
//! [`Controller`]: twice a second an [`Observer`] looks at jobs and executors, [`crate::scaling`] decides, and the
//! controller does what was decided: starts, fences, stops. The decision itself has no clock and no processes.

mod any_cluster;
mod clusters;
mod controller;
mod jobs;
mod listing;
mod observer;
mod statements;

pub use any_cluster::AnyCluster;
pub(crate) use clusters::NamedCluster;
pub use clusters::{ClusterSettings, LocalClusters, Removal};
pub use controller::{Asked, Controller};
pub(crate) use jobs::JobWatch;
pub use observer::{Observation, Observer};
pub use statements::MEMORY_DEFAULT;
