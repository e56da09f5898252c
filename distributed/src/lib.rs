//! Quarray on Ballista: the same plans on executors that come and go.

pub mod backend;
pub mod cluster;
pub mod control;
pub mod scaling;
