//! Quarray on Ballista: the same plans on executors that come and go.
//!
//! [`codec`] takes plans over a wire, [`cluster`] has the processes, [`scaling`] decides how many of them there are, and
//! [`control`] does what it decided for clusters that sessions name, and [`autoscaler`] tells it to Kubernetes. [`links`] join
//! hosts that share a secret. [`serve`] has sessions for clients elsewhere, and [`metrics`] tells what processes do.

pub mod autoscaler;
pub mod backend;
pub mod choice;
pub mod cluster;
pub mod codec;
pub mod control;
pub mod links;
pub mod metrics;
pub mod scaling;
pub mod serve;
