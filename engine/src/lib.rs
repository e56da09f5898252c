//! The Quarray engine: statements to plans, plans to labelled arrays, over chunked stores.

pub mod array;
pub mod dataset;
pub mod error;
pub mod kernel;
pub mod outcome;
pub mod progress;
pub mod session;
pub mod sink;
pub mod source;

pub use error::Error;
pub use outcome::{Outcome, PlotSpec, Rows};
pub use session::{Session, SessionBuilder};
