//! Quarray on Ballista: the same plans on executors that come and go.
//!
//! [`codec`] takes plans over a wire, [`cluster`] has the processes, [`scaling`] decides how many of them there are, and
//! [`control`] does what it decided for clusters that sessions name. [`serve`] has sessions for clients elsewhere.

pub mod backend;
pub mod choice;
pub mod cluster;
pub mod codec;
pub mod control;
pub mod scaling;
pub mod serve;
