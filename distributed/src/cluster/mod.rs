//! The processes of a cluster: one scheduler, in this process, and executors, each a process of its own.
//!
//! [`Scheduler`] is Ballista's as a library behind [`GuardedClusterState`]; [`executor`] is the life of one executor;
//! an [`ExecutorProvider`] starts and stops them, [`LocalProcesses`] on this machine. [`job`] runs one physical plan and
//! [`delivery`] brings its rows here. [`LocalCluster`] is all of it for one session; an [`OutsideCluster`] has executors that
//! somebody else starts.
//!
//! Ballista loses track of cores, counts outputs twice and stands still when executors are lost. Four guards stand against
//! that, and whoever changes this module keeps them: free cores are counted anew at every binding (`guarded_state.rs`), of
//! several outputs of a partition only the last is read, answers of jobs that may have counted twice are thrown away
//! (`outputs.rs`), and jobs of which nothing runs nor can run are begun anew (`standstill.rs`).

mod budgets;
pub mod cancellation;
pub mod connections;
pub mod delivery;
mod drain;
pub mod error;
pub mod executor;
mod fences;
#[cfg(test)]
mod guard_tests;
pub mod guarded_state;
pub mod job;
pub mod job_counts;
mod job_names;
pub mod job_observer;
mod leftovers;
pub mod local;
pub mod measured;
mod notices;
pub mod outputs;
pub mod outside;
mod parent;
pub(crate) mod places;
pub mod ports;
pub mod preparation;
pub mod processes;
pub mod provider;
mod recorded;
pub mod scheduler;
mod scheduler_watch;
pub mod slices;
pub mod spool;
mod stage_order;
pub mod stages;
mod standstill;
mod task_failure;
mod work_dir;

use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion_proto::physical_plan::PhysicalExtensionCodec;

pub use error::ClusterError;
pub use executor::{ExecutorEnd, ExecutorSettings, run_executor};
pub use guarded_state::{ExecutorCores, GuardedClusterState, Member};
pub use local::{LocalCluster, LocalClusterSettings};
pub use outside::{OutsideCluster, OutsideExecutors};
pub use processes::{LocalProcesses, Program};
pub use provider::{Arrival, ExecutorProvider, ExecutorShape, ProvidedExecutor, Stop};
pub use scheduler::{Scheduler, SchedulerSettings};

/// Bytes that a message between processes of the cluster may have.
pub const MESSAGE_BYTES_MAX: u32 = 64 << 20;

/// The codec of plans on their way between processes.
pub type PlanCodec = Arc<dyn PhysicalExtensionCodec>;

/// The codec of Ballista's and DataFusion's own operators.
pub fn ballista_codec() -> PlanCodec {
    Arc::new(BallistaPhysicalExtensionCodec::default())
}
