//! The Quarray engine: statements to plans, plans to labelled arrays, over chunked stores.

pub mod access;
pub mod array;
pub mod attributes;
pub mod backend;
pub mod bind;
pub mod catalog;
pub mod dataset;
pub mod error;
pub mod exec;
pub mod explain;
pub mod functions;
pub mod interruption;
pub mod kernel;
pub mod labelled;
pub mod logical;
pub mod optimize;
pub mod outcome;
pub mod physical;
pub mod plot;
pub mod progress;
pub mod provider;
pub mod queries;
pub mod scan;
pub mod session;
pub mod sink;
pub mod source;
pub mod state;
pub mod summary;
pub mod thread_safe;
pub mod totals;

pub use access::{AccessPolicy, AccessRules};
pub use backend::{Backend, Clusters};
pub use error::Error;
pub use labelled::Labelled;
pub use outcome::{Outcome, PlotSpec, Rows};
pub use session::{Session, SessionBuilder};
