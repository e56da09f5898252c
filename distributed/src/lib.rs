//! Quarray on Ballista: the same plans on executors that come and go.

pub mod codec;
